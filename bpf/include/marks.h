/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Marks: the address spaces that ever held unbacked executable memory. Calls of an unmarked one are not inspected.
 *
 * The key is the address of the kernel's mm_struct, so that threads and vfork children share a mark. A mark is deleted when its
 * address space ends, where the kernel says so (Linux 6.1 and later); when the kernel reuses the address for a new address space
 * (fork, exec), the mark is written anew. What marks one from outside looks whether it has ended. */
#pragma once

#include "program.h"

/* Slots of the filter. A map above 32 KiB would not lie in the kernel's direct mapping but in pages of its own, whose translations are
 * rarely in the processor's TLB when a call is made. */
#define EPITOPE_FILTER_BITS 14
#define EPITOPE_FILTER_SLOTS (1u << EPITOPE_FILTER_BITS)

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_MARKS);
    __type(key, __u64);
    __type(value, struct epitope_mark);
} marks SEC(".maps");

/* Spares unmarked address spaces the lookup in `marks`: one byte for all addresses with the same hash, set once any of them was
 * marked. It stays set: sooner or later the kernel reuses a process's address, and all that costs is a lookup. Shared with the next
 * agent as `marks` is: one without the other would hide marks.
 *
 * When there is no room for a mark, all addresses with the same hash count as marked: one in EPITOPE_FILTER_SLOTS, not the whole
 * machine. Once processes have ended and there is room again, the agent looks at all processes anew and clears such slots; those of
 * the current turn were set meanwhile and stay. */
enum { SLOT_MARKED = 1, SLOT_OVERFLOWED = 2 }; /* or one more, by the turn */

struct mark_filter {
    __u32 turn;                          /* 0 or 1; the agent changes it before it looks at all processes */
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
    if (!filter) return 1;
    __u8 slot = filter->slots[filter_index(space)];
    if (__builtin_expect(!slot, 1)) return 0;
    if (__builtin_expect(slot >= SLOT_OVERFLOWED, 0)) return 1;
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    return mark && mark->marked;
}

/* Whether critical calls of a process with this address space are inspected. Unmarked processes pay for nothing else. Kernel threads
 * have no address space. */
static __always_inline int needs_inspection(__u64 space)
{
    return space && is_marked(space);
}

/* `reasons`: bits of enum epitope_reason. */
static __always_inline void set_mark_for(__u64 space, __u32 reasons)
{
    struct epitope_mark *old = bpf_map_lookup_elem(&marks, &space);
    struct mark_filter *filter = mark_filter();
    if (!space || !filter) return;
    if (old && old->marked) {
        old->reasons |= reasons;
        return;
    }
    struct epitope_mark mark = {1, reasons, 0, bpf_ktime_get_ns()};
    __u8 *slot = &filter->slots[filter_index(space)];
    count(EPITOPE_COUNT_MARKED);
    if (!*slot) *slot = SLOT_MARKED;
    if (!bpf_map_update_elem(&marks, &space, &mark, BPF_ANY)) return;
    *slot = SLOT_OVERFLOWED + (filter->turn & 1);
    count(EPITOPE_COUNT_MARKS_FULL);
}

static __always_inline void set_mark(__u64 space, __u32 reason)
{
    set_mark_for(space, 1u << reason);
}

/* Why a marked address space is marked: bits of enum epitope_reason. */
static __always_inline __u32 reasons_of(__u64 space)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    return mark && mark->marked ? mark->reasons : 1u << EPITOPE_REASON_NO_ROOM;
}

/* Whether there may be a mark of an address space, or was one. */
static __always_inline int may_have_mark(__u64 space)
{
    struct mark_filter *filter = mark_filter();
    return filter && filter->slots[filter_index(space)];
}

/* The address space has ended: no code runs in it any more. */
static __always_inline void delete_mark(__u64 space)
{
    if (!bpf_map_delete_elem(&marks, &space)) count(EPITOPE_COUNT_UNMARKED);
}

/* Whether an address space has not ended. Whoever has a process's memory open (/proc/PID/mem) names its address longer than that. */
static __always_inline int is_alive(__u64 space)
{
    return space && BPF_CORE_READ((struct mm_struct *)space, mm_users.counter) > 0;
}

/* A mark for what somebody does who may not be in the address space, which may end meanwhile: one that had ended keeps no mark, since the
 * next one at its address would have it. */
static __always_inline void set_mark_from_outside(__u64 space, __u32 reason)
{
    if (!is_alive(space)) return;
    set_mark(space, reason);
    if (!is_alive(space)) delete_mark(space);
}

/* That there was no room to record something about an address space (EPITOPE_LOST_*), and whether that is so. One without a mark of
 * its own, for which there was no room either, has lost everything. */
static __always_inline void set_lost(__u64 space, __u16 what)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    count(EPITOPE_COUNT_NO_ORIGIN);
    if (mark) mark->lost |= what;
}

static __always_inline int has_lost(__u64 space, __u16 what)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    struct mark_filter *filter = mark_filter();
    if (mark && mark->marked) return (mark->lost & what) != 0;
    return filter && filter->slots[filter_index(space)] >= SLOT_OVERFLOWED;
}

/* Another file may have taken the place of the program of an address space, which the kernel then names as its program. */
static __always_inline void set_program_replaced(__u64 space)
{
    set_mark(space, EPITOPE_REASON_REPLACED);
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    if (mark) mark->lost |= EPITOPE_LOST_PROGRAM;
}

/* For a new address space at this address: unmarked, unless there are reasons (bits of enum epitope_reason). Another process can reach it a
 * moment before this is called (during exec, while the program is still being loaded): a mark that was set for such an access is kept.
 *
 * `since`: before that nobody could reach it, so that an older mark is of another address space; nanoseconds of CLOCK_MONOTONIC. Not
 * inlined: the verifier adds up the stacks of a call path. */
__attribute__((noinline)) int reset_mark(__u64 space, __u32 reasons, __u64 since)
{
    struct epitope_mark *mark = bpf_map_lookup_elem(&marks, &space);
    int is_kept = mark && mark->marked && mark->reasons & 1u << EPITOPE_REASON_WRITTEN_BY_OTHER && mark->time >= since;
    if (mark && !is_kept) mark->marked = 0;
    if (reasons) set_mark_for(space, reasons);
    return 0;
}
