// SPDX-License-Identifier: Apache-2.0

#include "counters.h"
#include "CKernelProgram.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

int epitope_sum_counters(int map, uint64_t *counters) {
    int processors = libbpf_num_possible_cpus();
    if (processors < 0) return processors;
    uint64_t *values = calloc((size_t)processors, sizeof *values);
    if (!values) return -ENOMEM;
    for (uint32_t counter = 0; counter < EPITOPE_COUNTERS; counter++) {
        counters[counter] = 0;
        if (bpf_map_lookup_elem(map, &counter, values)) continue;
        for (int index = 0; index < processors; index++) counters[counter] += values[index];
    }
    free(values);
    return 0;
}
