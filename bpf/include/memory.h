/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What stands behind an address of the current process. */
#pragma once

#include "program.h"

/* A mapping; small enough for the stack. */
struct seen {
    __u64 start, end, inode, offset;     /* offset: of the mapping's start, in its file */
    __u32 device, generation;
    __u8 protection, backing, may_be_written, is_loader, may_lose_name;
    __u64 stack_pointer;                 /* given: an anonymous mapping around it is a stack */
};

/* Whether a file lies in a file system that is memory: its last name can be taken away at any time, and pages of its mappings
 * can be filled in by a descriptor (userfaultfd). */
static __always_inline int may_become_memory_file(struct inode *inode)
{
    unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
    return magic == MAGIC_TMPFS || magic == MAGIC_HUGETLBFS;
}

/* Memory files that the agent found to be sealed copies of images. What can't be written any more and is what an image
 * is, is one: container runtimes run from such a copy of themselves. Who calls its code is looked for as with any image. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, EPITOPE_COPIES);
    __type(key, struct epitope_file);
    __type(value, __u32);
} copies SEC(".maps");

static __always_inline int is_copy_of_image(const struct seen *seen)
{
    struct epitope_file key = {seen->inode, seen->device, seen->generation};
    return bpf_map_lookup_elem(&copies, &key) != 0;
}

static __always_inline int is_memory_file(struct inode *inode)
{
    return may_become_memory_file(inode) && BPF_CORE_READ(inode, i_nlink) == 0;
}

/* A device's memory is no image: /dev/zero's is anonymous. */
static __always_inline int is_regular(struct inode *inode)
{
    return (BPF_CORE_READ(inode, i_mode) & TYPE_MASK) == TYPE_REGULAR;
}

/* What a mapping is. Not static, and given the mapping as a number, so that the verifier looks at it once. */
__attribute__((noinline)) int describe_mapping(__u64 mapping, struct seen *seen)
{
    if (!seen) return 0;
    struct vm_area_struct *vma = (struct vm_area_struct *)mapping;
    struct mm_struct *space = BPF_CORE_READ(vma, vm_mm);
    struct file *file = BPF_CORE_READ(vma, vm_file);
    unsigned long flags = BPF_CORE_READ(vma, vm_flags);

    seen->start = BPF_CORE_READ(vma, vm_start);
    seen->end = BPF_CORE_READ(vma, vm_end);
    seen->protection = flags & 15;
    if (!file) {
        /* The kernel's page can be unmapped and its place be taken: anonymous memory has no operations. */
        if (seen->start == (__u64)BPF_CORE_READ(space, context.vdso) && BPF_CORE_READ(vma, vm_ops)) {
            seen->backing = EPITOPE_BACKING_KERNEL;
            seen->may_be_written = BPF_CORE_READ(vma, anon_vma) != 0;
            return 0;
        }
        __u64 stack = BPF_CORE_READ(space, start_stack), heap = BPF_CORE_READ(space, start_brk);
        __u64 heap_end = BPF_CORE_READ(space, brk);
        if (seen->start < heap_end && seen->end > heap)
            seen->backing = EPITOPE_BACKING_HEAP;
        else if (flags & FLAG_GROWS_DOWN || (seen->start <= stack && stack < seen->end) ||
                 (seen->start <= seen->stack_pointer && seen->stack_pointer < seen->end))
            seen->backing = EPITOPE_BACKING_STACK;
        else
            seen->backing = EPITOPE_BACKING_ANONYMOUS;
        return 0;
    }
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    char name[8] = {};
    const unsigned char *from = BPF_CORE_READ(file, f_path.dentry, d_name.name);
    bpf_probe_read_kernel_str(name, sizeof name, from);
    seen->inode = BPF_CORE_READ(inode, i_ino);
    seen->device = BPF_CORE_READ(inode, i_sb, s_dev);
    seen->offset = BPF_CORE_READ(vma, vm_pgoff) << 12;
    if (is_memory_file(inode)) {
        /* Shared anonymous memory and System V segments are files of the kernel's own. */
        int zero = name[0] == 'd' && name[1] == 'e' && name[2] == 'v' && name[3] == '/' && name[4] == 'z';
        int segment = name[0] == 'S' && name[1] == 'Y' && name[2] == 'S' && name[3] == 'V';
        seen->backing = zero || segment ? EPITOPE_BACKING_ANONYMOUS : EPITOPE_BACKING_MEMORY_FILE;
        seen->generation = BPF_CORE_READ(inode, i_generation);
        if (!is_copy_of_image(seen)) return 0;
    }
    if (!is_regular(inode)) {
        seen->backing = EPITOPE_BACKING_ANONYMOUS;
        return 0;
    }
    seen->may_lose_name = may_become_memory_file(inode);
    seen->backing = EPITOPE_BACKING_IMAGE;
    seen->may_be_written = !(seen->protection & FLAG_SHARED) && BPF_CORE_READ(vma, anon_vma);
    seen->is_loader = name[0] == 'l' && name[1] == 'd' && (name[2] == '-' || (name[2] == '.' && name[3] == 's'));
    return 0;
}

static long look(struct task_struct *task, struct vm_area_struct *vma, void *context)
{
    __u64 number = 0;
    bpf_probe_read_kernel(&number, sizeof number, &vma);
    describe_mapping(number, context);
    return 0;
}

static __always_inline int is_unbacked(const struct seen *seen)
{
    return seen->backing >= EPITOPE_BACKING_ANONYMOUS;
}

/* Where the kernel maps physical memory and keeps its struct pages (x86-64; randomised, so they are variables). */
extern const void page_offset_base __ksym __weak;
extern const void vmemmap_base __ksym __weak;
extern const void __pgtable_l5_enabled __ksym __weak;

#define ENTRY_PRESENT 1ul
#define ENTRY_LARGE 0x80ul
#define ENTRY_FRAME 0x000ffffffffff000ul

/* Whether the page at an address is anonymous: one of an image's private mapping that was written. 1, 0, or -1 where it
 * can't be told. The tables may change meanwhile; what is read then is old or new, as the call itself might have met it. */
__attribute__((noinline)) int is_written(__u64 address)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!&page_offset_base || !&vmemmap_base) return -1;
    __u64 direct = 0, pages = 0, entry = 0, table = (__u64)BPF_CORE_READ(task, mm, pgd);
    __u32 five = 0;
    bpf_probe_read_kernel(&direct, sizeof direct, &page_offset_base);
    bpf_probe_read_kernel(&pages, sizeof pages, &vmemmap_base);
    if (&__pgtable_l5_enabled) bpf_probe_read_kernel(&five, sizeof five, &__pgtable_l5_enabled);
    for (int shift = 48; shift >= 12; shift -= 9) {
        if (shift == 48 && !five) continue;
        if (bpf_probe_read_kernel(&entry, sizeof entry, (void *)(table + 8 * (address >> shift & 511)))) return -1;
        if (!(entry & ENTRY_PRESENT)) return shift == 12 && entry != 0; /* a written page that is swapped out, else none */
        if (shift > 12 && entry & ENTRY_LARGE) break;
        table = direct + (entry & ENTRY_FRAME);
    }
    struct page *page = (struct page *)(pages + ((entry & ENTRY_FRAME) >> 12) * bpf_core_type_size(struct page));
    unsigned long head = BPF_CORE_READ(page, compound_head);
    if (head & 1) page = (struct page *)(head - 1);
    return ((__u64)BPF_CORE_READ(page, mapping) & 1) != 0;
}

/* Makes "some page may be written" an answer for the instruction that ends at an address, where it can be had. */
static __always_inline void settle_written(__u64 address, struct seen *seen)
{
    if (!seen->may_be_written) return;
    int written = is_written(address - 1);
    if (!written && (address & 4095) == 1) written = is_written(address - 2);
    if (written == 0) seen->may_be_written = 0;
    if (written == 1) {
        seen->may_be_written = 0;
        seen->backing = EPITOPE_BACKING_WRITTEN_IMAGE;
    }
}

#define NODE_MASK 255ul                  /* an entry that leads to a node: its address, with its type in the low bits */
#define LEAF_NODE 1u
#define GAP_NODE 3u                      /* maple_arange_64 */
#define NO_VMA ((__u64)-1)

/* The mapping at an address, read from the tree without its lock: what a process can't keep from being read by changing
 * its address space all the time. The tree's nodes are replaced, not changed, so that a walk meets an old state or a new
 * one; the caller holds what it finds against the address. 0: nothing is mapped there. NO_VMA: it can't be told. */
__attribute__((noinline)) __u64 find_vma_without_lock(__u64 from, __u64 address)
{
    struct mm_struct *space = (struct mm_struct *)from;
    if (!bpf_core_field_exists(space->mm_mt)) return NO_VMA;
    __u64 entry = (__u64)BPF_CORE_READ(space, mm_mt.ma_root);
    for (int depth = 0; depth < 8; depth++) {
        __u64 pivot = 0, next = 0; /* not all pivots at once: the stack is 512 bytes, of all callers together */
        if ((depth == 0 && (entry & 3) != 2) || entry < 4096) return NO_VMA;
        __u64 node = entry & ~NODE_MASK;
        __u32 type = entry >> 3 & 15, slot = 0;
        if (type != GAP_NODE && type != LEAF_NODE && type != 2) return NO_VMA;
        int gaps = type == GAP_NODE;
        __u32 count = gaps ? 9 : 15;
        const void *first = gaps ? (void *)&((struct maple_arange_64 *)node)->pivot : (void *)&((struct maple_range_64 *)node)->pivot;
        const void *slots = gaps ? (void *)&((struct maple_arange_64 *)node)->slot : (void *)&((struct maple_range_64 *)node)->slot;
        /* A pivot is the last address of its slot; after the last that is used, they are 0. */
        for (__u32 index = 0; index < 15; index++) {
            if (slot != index || index >= count) continue;
            if (bpf_probe_read_kernel(&pivot, 8, first + 8 * index)) return NO_VMA;
            if (pivot < address && pivot) slot = index + 1;
        }
        if (bpf_probe_read_kernel(&next, 8, slots + 8 * slot)) return NO_VMA;
        if (type == LEAF_NODE) return next & 3 ? NO_VMA : next;
        entry = next;
    }
    return NO_VMA;
}

/* A look at an address of the current process, and another where the first can't be had. */
struct look_up {
    __u64 address, space;
    __u32 done, unused;
    struct seen seen;
};

static __always_inline void begin_look(struct look_up *up, __u64 stack_pointer)
{
    __builtin_memset(&up->seen, 0, sizeof up->seen);
    up->seen.stack_pointer = stack_pointer;
}

/* These two are turns of loops that the verifier looks at once. 1 ends them. */
static long look_without_lock(__u32 index, void *context)
{
    struct look_up *up = context;
    struct seen *seen = &up->seen;
    __u64 vma = find_vma_without_lock(up->space, up->address);
    up->done = !vma;
    if (!vma) return 1;
    if (vma == NO_VMA) return 0;
    describe_mapping(vma, seen);
    up->done = seen->start <= up->address && up->address < seen->end &&
        (__u64)BPF_CORE_READ((struct vm_area_struct *)vma, vm_mm) == up->space;
    if (!up->done) begin_look(up, seen->stack_pointer);
    return up->done;
}

static long look_again(__u32 index, void *context)
{
    struct look_up *up = context;
    up->done = bpf_find_vma(bpf_get_current_task_btf(), up->address, look, &up->seen, 0) != -ERROR_BUSY;
    return up->done;
}

/* What is mapped at an address. 0, or -EBUSY when nobody can tell now; a gap is EPITOPE_BACKING_NONE. */
static __always_inline long see_now(struct task_struct *task, __u64 address, __u64 stack_pointer, struct look_up *up)
{
    begin_look(up, stack_pointer);
    if (bpf_find_vma(task, address, look, &up->seen, 0) != -ERROR_BUSY) return 0;
    /* Another thread changes the address space right now. */
    up->address = address;
    up->space = (__u64)BPF_CORE_READ(task, mm);
    bpf_loop(8, look_without_lock, up, 0);
    if (up->done) return 0;
    /* Before Linux 6.1 there is no such tree: tried a few times more. */
    bpf_loop(64, look_again, up, 0);
    return up->done ? 0 : -ERROR_BUSY;
}
