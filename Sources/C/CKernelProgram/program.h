// SPDX-License-Identifier: Apache-2.0

/* The program of one agent, loaded. */
#pragma once

#include <bpf/libbpf.h>
#include <stdint.h>

enum { MOST_LINKS = 32, MOST_SCANS = 4 };

struct epitope_program {
    struct bpf_object *object;
    struct bpf_link *links[MOST_LINKS];
    int link_count;
    struct bpf_link *scans[MOST_SCANS];
    int scan_count;
    int policies, exclusions, counters, frames, copies, agents, events;
    uint32_t generation;
    char *folder;                  /* NULL: held nowhere */
};
