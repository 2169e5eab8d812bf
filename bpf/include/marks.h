/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Marks: the address spaces that ever held unbacked executable memory. Calls of an unmarked one are not inspected.
 *
 * The key is the address of the kernel's mm_struct, so that threads and vfork children share a mark. A mark is never
 * deleted: when the kernel reuses the address for a new address space (fork, exec), the mark is written anew. */
#pragma once

#include "program.h"

/* Slots of the filter. A map above 32 KiB would not lie in the kernel's direct mapping but in pages of its own, whose translations are
 * rarely in the processor's TLB when a call is made. */
#define EPITOPE_FILTER_BITS 14
#define EPITOPE_FILTER_SLOTS (1u << EPITOPE_FILTER_BITS)

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct epitope_mark);
} marks SEC(".maps");

/* Spares unmarked address spaces the lookup in `marks`: one byte for all addresses with the same hash, set once any of them was
 * marked. It stays set: sooner or later the kernel reuses a process's address, and all that costs is a lookup. Shared with the next
 * agent as `marks` is: one without the other would hide marks. */
struct mark_filter {
    __u32 is_full;                       /* there was no room for a mark: every process counts as marked from then on */
    __u8 slots[EPITOPE_FILTER_SLOTS];
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

/* Hashes the lower half of an address, which the kernel allocates in steps of a cache line. Knuth's multiplicative hash (The Art of
 * Computer Programming, volume 3, 6.4): the golden ratio in 32 bits, of whose product the upper bits are the best mixed. */
static __always_inline __u32 filter_index(__u64 space)
{
    /* The verifier forbids arithmetic on a pointer. Once its upper byte, the same in all addresses, is overwritten, it is a number. */
    volatile __u64 address = space;
    ((volatile __u8 *)&address)[7] = 0;
    return (*(volatile __u32 *)&address / 64 * 0x9e3779b1u) >> (32 - EPITOPE_FILTER_BITS);
}

static __always_inline int is_marked(__u64 space)
{
    struct mark_filter *filter = mark_filter();
    if (!filter || __builtin_expect(filter->is_full, 0)) return 1;
    if (__builtin_expect(!filter->slots[filter_index(space)], 1)) return 0;
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    return mark && mark->marked;
}

/* Whether critical calls of a process with this address space are inspected. Unmarked processes pay for nothing else. Kernel threads
 * have no address space. */
static __always_inline int needs_inspection(__u64 space)
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
    filter->slots[filter_index(space)] = 1;
    if (bpf_map_update_elem(&marks, &space, &mark, BPF_ANY)) {
        filter->is_full = 1;
        count(EPITOPE_COUNT_MARKS_FULL);
    }
}

#define RECENT_WRITE (10 * NSEC_PER_SEC)

/* For a new address space at this address: unmarked, unless its parent is marked. Another process can reach it a moment before this
 * is called (during exec, while the program is still being loaded); a mark that was set for such an access is kept. */
static __always_inline void reset_mark(__u64 space, int marked, __u32 reason)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    if (mark && mark->marked && mark->reason == EPITOPE_REASON_WRITTEN_BY_OTHER && bpf_ktime_get_ns() - mark->time < RECENT_WRITE)
        return;
    if (mark) mark->marked = 0;
    if (marked) set_mark(space, reason);
}
