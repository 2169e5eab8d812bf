/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Marks: which address spaces ever held unbacked executable memory. An unmarked one needs no look at its stack.
 *
 * The key is the address of the kernel's mm_struct, so that threads and vfork children share a mark. A mark is never
 * deleted: when the kernel gives the address to a new address space (fork, exec), the mark is written anew. */
#pragma once

#include "program.h"

/* What place_in_filter() tells apart. With more, the kernel would have the map outside of its direct mapping (above 32 KiB), by
 * pages of their own, which are seldom in the processor's look-aside buffer when a call comes. */
#define EPITOPE_FILTER_BITS 14
#define EPITOPE_FILTER (1u << EPITOPE_FILTER_BITS)

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct epitope_mark);
} marks SEC(".maps");

/* What spares an unmarked address space the look into `marks`: a byte for each part of all addresses, by their hash, set
 * once any of them was marked. It stays set: the kernel gives a process's address to another sooner or later, and all that
 * costs is the look that the byte would have spared. Shared with the next agent as `marks` is: one without the other would
 * hide marks. */
struct mark_filter {
    __u32 all;                           /* a mark found no place: every process is held to be marked from then on */
    __u8 some[EPITOPE_FILTER];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct mark_filter);
} mark_filters SEC(".maps");

static __always_inline struct mark_filter *mark_filter(void)
{
    __u32 only = 0;
    return bpf_map_lookup_elem(&mark_filters, &only);
}

/* Of the lower half of an address that the kernel gives out in steps of a cache line. Knuth's multiplicative hash (The Art
 * of Computer Programming, volume 3, 6.4): the golden ratio in 32 bits, of whose product the upper bits are the best mixed. */
static __always_inline __u32 place_in_filter(__u64 space)
{
    /* The verifier lets nobody reckon with a pointer. Overwritten in part, where all addresses are alike, it is one no more. */
    volatile __u64 address = space;
    ((volatile __u8 *)&address)[7] = 0;
    return (*(volatile __u32 *)&address / 64 * 0x9e3779b1u) >> (32 - EPITOPE_FILTER_BITS);
}

static __always_inline int is_marked(__u64 space)
{
    struct mark_filter *filter = mark_filter();
    if (!filter || __builtin_expect(filter->all, 0)) return 1;
    if (__builtin_expect(!filter->some[place_in_filter(space)], 1)) return 0;
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    return mark && mark->marked;
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
    struct mark_filter *filter = mark_filter();
    if (!space || !filter || (old && old->marked)) return;
    struct epitope_mark mark = {1, reason, bpf_ktime_get_ns()};
    count(EPITOPE_COUNT_MARKED);
    filter->some[place_in_filter(space)] = 1;
    if (bpf_map_update_elem(&marks, &space, &mark, BPF_ANY)) {
        filter->all = 1;
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
