/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Finds the mapping at an address of the current process, also while other threads change the address space. */
#pragma once

#include "page_tables.h"

/* Entries of the maple tree that mappings are kept in (linux/maple_tree.h, Linux 6.1 and later). */
#define MAPLE_NODE_MASK 255ul            /* an entry that leads to a node: its address, with its type in the low bits */
#define MAPLE_LEAF_64 1u
#define MAPLE_RANGE_64 2u
#define MAPLE_ARANGE_64 3u               /* with gaps */
#define UNKNOWN_VMA ((__u64)-1)
enum { MAX_MAPLE_DEPTH = 8 };

/* The VMA at an address, read from the tree without its lock: a process that changes its address space all the time can hold the
 * lock, but can't prevent this. Nodes are replaced, not changed, so that a walk meets the old state or the new one; the caller
 * checks that the VMA covers the address. 0: nothing is mapped there. UNKNOWN_VMA: it can't be determined. */
__attribute__((noinline)) __u64 find_vma_without_lock(__u64 from, __u64 address)
{
    struct mm_struct *space = (struct mm_struct *)from;
    if (!bpf_core_field_exists(space->mm_mt)) return UNKNOWN_VMA;
    __u64 entry = (__u64)BPF_CORE_READ(space, mm_mt.ma_root);
    for (int depth = 0; depth < MAX_MAPLE_DEPTH; depth++) {
        __u64 pivot = 0, next = 0; /* one pivot at a time: the stack is 512 bytes, of all callers together */
        if ((depth == 0 && (entry & 3) != 2) || entry < 4096) return UNKNOWN_VMA;
        __u64 node = entry & ~MAPLE_NODE_MASK;
        __u32 type = entry >> 3 & 15, slot = 0;
        if (type != MAPLE_ARANGE_64 && type != MAPLE_LEAF_64 && type != MAPLE_RANGE_64) return UNKNOWN_VMA;
        int gaps = type == MAPLE_ARANGE_64;
        __u32 count = gaps ? 9 : 15;
        const void *first = gaps ? (void *)&((struct maple_arange_64 *)node)->pivot : (void *)&((struct maple_range_64 *)node)->pivot;
        const void *slots = gaps ? (void *)&((struct maple_arange_64 *)node)->slot : (void *)&((struct maple_range_64 *)node)->slot;
        /* A pivot is the last address of its slot; behind the last one in use, they are 0. */
        for (__u32 index = 0; index < 15; index++) {
            if (slot != index || index >= count) continue;
            if (bpf_probe_read_kernel(&pivot, 8, first + 8 * index)) return UNKNOWN_VMA;
            if (pivot < address && pivot) slot = index + 1;
        }
        if (bpf_probe_read_kernel(&next, 8, slots + 8 * slot)) return UNKNOWN_VMA;
        if (type == MAPLE_LEAF_64) return next & 3 ? UNKNOWN_VMA : next;
        entry = next;
    }
    return UNKNOWN_VMA;
}

/* A search for the mapping at an address, passed to the loops below. */
struct mapping_lookup {
    __u64 address, space, stack_pointer;
    __u32 done, unused;
    struct mapping mapping;
};

enum { MAX_TRIES_WITHOUT_LOCK = 8, MAX_TRIES_WITH_LOCK = 64 };

static __always_inline void reset_lookup(struct mapping_lookup *lookup, __u64 stack_pointer)
{
    __builtin_memset(&lookup->mapping, 0, sizeof lookup->mapping);
    lookup->mapping.stack_pointer_or_inode = lookup->stack_pointer = stack_pointer;
}

/* Loop bodies, which the verifier checks once. 1 ends the loop. */
static long try_without_lock(__u32 index, void *context)
{
    struct mapping_lookup *lookup = context;
    struct mapping *mapping = &lookup->mapping;
    __u64 vma = find_vma_without_lock(lookup->space, lookup->address);
    lookup->done = !vma;
    if (!vma) return 1;
    if (vma == UNKNOWN_VMA) return 0;
    describe_mapping(vma, mapping);
    lookup->done = mapping->start <= lookup->address && lookup->address < mapping->end &&
        (__u64)BPF_CORE_READ((struct vm_area_struct *)vma, vm_mm) == lookup->space;
    if (!lookup->done) reset_lookup(lookup, lookup->stack_pointer);
    return lookup->done;
}

static long try_with_lock(__u32 index, void *context)
{
    struct mapping_lookup *lookup = context;
    lookup->done = bpf_find_vma(bpf_get_current_task_btf(), lookup->address, describe_vma, &lookup->mapping, 0) != -EBUSY;
    return lookup->done;
}

/* Finds what is mapped at an address. 0, or -EBUSY when that can't be determined now; a gap is EPITOPE_BACKING_NONE. */
static __always_inline long find_mapping(struct task_struct *task, __u64 address, __u64 stack_pointer, struct mapping_lookup *lookup)
{
    reset_lookup(lookup, stack_pointer);
    if (bpf_find_vma(task, address, describe_vma, &lookup->mapping, 0) != -EBUSY) return 0;
    /* Another thread is changing the address space. */
    lookup->address = address;
    lookup->space = (__u64)BPF_CORE_READ(task, mm);
    bpf_loop(MAX_TRIES_WITHOUT_LOCK, try_without_lock, lookup, 0);
    if (lookup->done) return 0;
    /* Linux before 6.1 has no such tree: try for the lock a few times more. */
    bpf_loop(MAX_TRIES_WITH_LOCK, try_with_lock, lookup, 0);
    return lookup->done ? 0 : -EBUSY;
}
