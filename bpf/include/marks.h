/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Marks: which address spaces ever held unbacked executable memory. An unmarked one needs no look at its stack.
 *
 * The key is the address of the kernel's mm_struct, so that threads and vfork children share a mark. A mark is never
 * deleted: when the kernel gives the address to a new address space (fork, exec), the mark is written anew. */
#pragma once

#include "program.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct epitope_mark);
} marks SEC(".maps");

/* Set when a mark found no place: every process is held to be marked from then on. */
__u32 marks_are_full;

static __always_inline int is_marked(__u64 space)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    return (mark && mark->marked) || marks_are_full;
}

/* Whether a critical call of a process with this address space is looked at: all that an unmarked one pays. A kernel
 * thread has no address space. */
static __always_inline int needs_look(__u64 space)
{
    return space && is_marked(space);
}

static __always_inline void set_mark(__u64 space, __u32 reason)
{
    struct epitope_mark *old = bpf_map_lookup_elem(&marks, &space), mark = {1, reason};
    if (!space || (old && old->marked)) return;
    count(EPITOPE_COUNT_MARKED);
    if (bpf_map_update_elem(&marks, &space, &mark, BPF_ANY)) {
        marks_are_full = 1;
        count(EPITOPE_COUNT_MARKS_FULL);
    }
}

/* A new address space at this address: without a mark, unless its parent has one. */
static __always_inline void renew_mark(__u64 space, int marked, __u32 reason)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    if (marked) {
        if (mark) mark->marked = 0;
        set_mark(space, reason);
    } else if (mark) {
        mark->marked = 0;
    }
}
