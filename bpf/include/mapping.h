/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What backs a mapping: an image file, the kernel, or nothing on disk. */
#pragma once

#include "changeable_files.h"

/* A mapping; small enough for the stack. */
struct mapping {
    __u64 start, end, inode, offset;     /* offset: of the mapping's start, in its file */
    __u32 device, generation;
    __u8 protection, backing, may_be_written, is_loader;
    __u8 is_nameless;                    /* its file was opened without a name */
    /* By the agent's answer about the code at one address of it (questions.h): */
    __u8 answer;                         /* enum epitope_code_answer */
    __u8 is_explained, is_unpacked;      /* it is what a file has, and counts as that image; a packed program's, as the agent saw it */
    /* Input: the stack pointer, an anonymous mapping around which is a stack. Output: the address of an image's inode, else 0. */
    __u64 stack_pointer_or_inode;
};

/* Memory files that the agent found to be sealed copies of images: they can't be written any more and have an image's content, so
 * they count as images. Container runtimes run from such a copy of themselves. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, EPITOPE_MAX_COPIES);
    __type(key, struct epitope_file);
    __type(value, __u32);
} copies SEC(".maps");

static __always_inline int is_copy_of_image(const struct mapping *mapping)
{
    struct epitope_file key = {mapping->inode, mapping->device, mapping->generation};
    return bpf_map_lookup_elem(&copies, &key) != 0;
}

/* Unbacked memory: no image file on disk has its content. */
static __always_inline int is_unbacked(const struct mapping *mapping)
{
    return mapping->backing >= EPITOPE_BACKING_ANONYMOUS;
}

/* The vdso as the kernel made it. */
static __always_inline int is_vdso(const struct mapping *mapping)
{
    return mapping->backing == EPITOPE_BACKING_KERNEL && !mapping->may_be_written;
}

/* Whether it is an image whose page was written, or may have been. */
static __always_inline int may_differ_from_file(const struct mapping *mapping)
{
    return mapping->may_be_written || mapping->backing == EPITOPE_BACKING_WRITTEN_IMAGE;
}

static __always_inline void describe_mapping_without_file(struct vm_area_struct *vma, unsigned long flags, __u64 stack_pointer, struct mapping *mapping)
{
    struct mm_struct *space = BPF_CORE_READ(vma, vm_mm);
    /* The vdso can be unmapped and its place be taken by anonymous memory, which has no operations. */
    if (mapping->start == (__u64)BPF_CORE_READ(space, context.vdso) && BPF_CORE_READ(vma, vm_ops)) {
        mapping->backing = EPITOPE_BACKING_KERNEL;
        mapping->may_be_written = BPF_CORE_READ(vma, anon_vma) != 0;
        return;
    }
    /* So can the place for probes' instructions, which nobody but the kernel writes to. */
    struct xol_area *area = bpf_core_field_exists(space->uprobes_state) ? BPF_CORE_READ(space, uprobes_state.xol_area) : 0;
    if (area && mapping->start == BPF_CORE_READ(area, vaddr) && BPF_CORE_READ(vma, vm_ops)) {
        mapping->backing = EPITOPE_BACKING_KERNEL;
        return;
    }
    __u64 stack = BPF_CORE_READ(space, start_stack), heap = BPF_CORE_READ(space, start_brk);
    __u64 heap_end = BPF_CORE_READ(space, brk);
    if (mapping->start < heap_end && mapping->end > heap)
        mapping->backing = EPITOPE_BACKING_HEAP;
    else if (flags & VM_GROWSDOWN || (mapping->start <= stack && stack < mapping->end) ||
             (mapping->start <= stack_pointer && stack_pointer < mapping->end))
        mapping->backing = EPITOPE_BACKING_STACK;
    else
        mapping->backing = EPITOPE_BACKING_ANONYMOUS;
}

static __always_inline void describe_mapping_of_file(struct vm_area_struct *vma, struct file *file, struct mapping *mapping)
{
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    char name[8] = {};
    const unsigned char *from = BPF_CORE_READ(file, f_path.dentry, d_name.name);
    bpf_probe_read_kernel_str(name, sizeof name, from);
    mapping->inode = BPF_CORE_READ(inode, i_ino);
    mapping->device = BPF_CORE_READ(inode, i_sb, s_dev);
    mapping->offset = BPF_CORE_READ(vma, vm_pgoff) << 12;
    if (is_memory_file(inode)) {
        /* Shared anonymous memory ("dev/zero"), System V segments ("SYSV…") and anonymous huge pages ("anon_hugepage") are files that the
         * kernel made. */
        int zero = name[0] == 'd' && name[1] == 'e' && name[2] == 'v' && name[3] == '/' && name[4] == 'z';
        int segment = name[0] == 'S' && name[1] == 'Y' && name[2] == 'S' && name[3] == 'V';
        int huge = name[0] == 'a' && name[1] == 'n' && name[2] == 'o' && name[3] == 'n' && name[4] == '_' && name[5] == 'h';
        mapping->backing = zero || segment || huge ? EPITOPE_BACKING_ANONYMOUS : EPITOPE_BACKING_MEMORY_FILE;
        mapping->generation = BPF_CORE_READ(inode, i_generation);
        if (!is_copy_of_image(mapping)) return;
    }
    if (!is_regular(inode)) {
        mapping->backing = EPITOPE_BACKING_ANONYMOUS;
        return;
    }
    mapping->backing = EPITOPE_BACKING_IMAGE;
    mapping->stack_pointer_or_inode = (__u64)inode;
    mapping->is_nameless = name[0] == '#'; /* one of O_TMPFILE has its number for a name */
    mapping->may_be_written = !(mapping->protection & VM_SHARED) && BPF_CORE_READ(vma, anon_vma);
    /* "ld-linux…", "ld-musl…", "ld.so" */
    mapping->is_loader = name[0] == 'l' && name[1] == 'd' && (name[2] == '-' || (name[2] == '.' && name[3] == 's'));
}

/* Describes a VMA. Not static, and given the VMA as a number, so that the verifier checks it only once. */
__attribute__((noinline)) int describe_mapping(__u64 vma_address, struct mapping *mapping)
{
    if (!mapping) return 0;
    struct vm_area_struct *vma = (struct vm_area_struct *)vma_address;
    struct file *file = BPF_CORE_READ(vma, vm_file);
    unsigned long flags = BPF_CORE_READ(vma, vm_flags);

    mapping->start = BPF_CORE_READ(vma, vm_start);
    mapping->end = BPF_CORE_READ(vma, vm_end);
    mapping->protection = flags & (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED);
    __u64 stack_pointer = mapping->stack_pointer_or_inode;
    mapping->stack_pointer_or_inode = 0;
    if (file) describe_mapping_of_file(vma, file, mapping);
    else describe_mapping_without_file(vma, flags, stack_pointer, mapping);
    return 0;
}

/* Whether what stands behind a mapping of an image may change what it is. */
static __always_inline int may_change(const struct mapping *mapping)
{
    return mapping->stack_pointer_or_inode && is_changeable((struct inode *)mapping->stack_pointer_or_inode);
}

/* Describes a VMA that the verifier knows as a pointer; the callback of bpf_find_vma. */
static long describe_vma(struct task_struct *task, struct vm_area_struct *vma, void *mapping)
{
    describe_mapping(as_number(vma), mapping);
    return 0;
}
