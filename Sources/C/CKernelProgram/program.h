// SPDX-License-Identifier: Apache-2.0

/* One agent's program, loaded.
 *
 * The sources depend on each other in one direction:
 *   program.c -> handover.c, maps.c, kernel_features.c, log.c
 *   handover.c, pinned_program.c, program.c -> pinning.c, ring_buffer.c
 *   maps.c, pinned_program.c -> counters.c
 *   pinning.c, kernel_features.c -> layout.c
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdint.h>

enum { MAX_LINKS = 32, MAX_SCANS = 4 };

struct epitope_program {
    struct bpf_object *object;
    struct bpf_link *links[MAX_LINKS];
    int link_count;
    struct bpf_link *scans[MAX_SCANS];
    int scan_count;
    int policies, exclusions, counters, frames, jumps, marks, copies, agents, events, answers, questions;
    uint32_t generation;
    char *folder;                  /* NULL: not pinned */
};
