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
    struct epitope_mark *old = bpf_map_lookup_elem(&marks, &space);
    if (!space || (old && old->marked)) return;
    struct epitope_mark mark = {1, reason, bpf_ktime_get_ns()};
    count(EPITOPE_COUNT_MARKED);
    if (bpf_map_update_elem(&marks, &space, &mark, BPF_ANY)) {
        marks_are_full = 1;
        count(EPITOPE_COUNT_MARKS_FULL);
    }
}

/* A new address space at this address: without a mark, unless its parent has one. It can be reached a moment before this
 * is told (an exec's, while the program is still being loaded): who got at it meanwhile has marked it, and that stays. */
static __always_inline void renew_mark(__u64 space, int marked, __u32 reason)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    if (mark && mark->marked && mark->reason == EPITOPE_REASON_WRITTEN_BY_OTHER && bpf_ktime_get_ns() - mark->time < 10 * NANOSECONDS)
        return;
    if (mark) mark->marked = 0;
    if (marked) set_mark(space, reason);
}
