/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Memory that a call may write other than by the program's own stores: another process's, or its own through /proc. */
#pragma once

#include "files.h"
#include "marks.h"

#define XA_CHUNK_SHIFT 6                 /* bits of an index that each level of an xarray resolves */
enum { MAX_XARRAY_DEPTH = 6 };

/* The address space of a process by its process ID in the current process's namespace. Read from the namespace's xarray of IDs
 * without its lock: the address is only used as a key. 0: there is none. */
__attribute__((noinline)) __u64 space_of_process(__u32 number)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct pid *own = BPF_CORE_READ(task, thread_pid);
    __u32 level = BPF_CORE_READ(own, level);
    struct pid_namespace *within = 0;
    struct pid *found = 0;
    const void *upid = (const void *)&own->numbers + level * bpf_core_type_size(struct upid);
    bpf_probe_read_kernel(&within, sizeof within, upid + bpf_core_field_offset(struct upid, ns));
    __u64 entry = (__u64)BPF_CORE_READ(within, idr.idr_rt.xa_head);
    /* An entry that leads to a node has the low bits 10; any other is the result. */
    for (int depth = 0; depth < MAX_XARRAY_DEPTH; depth++) {
        if ((entry & 3) != 2 || entry < 4096) break;
        struct xa_node *node = (struct xa_node *)(entry & ~3ul);
        __u32 shift = BPF_CORE_READ(node, shift), slot = number >> (shift & 31);
        if (depth == 0 && slot >> XA_CHUNK_SHIFT) return 0;
        if (bpf_probe_read_kernel(&entry, 8, (const void *)&node->slots + 8 * (slot & ((1 << XA_CHUNK_SHIFT) - 1)))) return 0;
    }
    if (entry & 3 || !entry) return 0;
    found = (struct pid *)entry;
    __u64 link = (__u64)BPF_CORE_READ(found, tasks[0].first);
    if (!link) return 0;
    struct task_struct *owner = (struct task_struct *)(link - bpf_core_field_offset(struct task_struct, pid_links));
    return (__u64)BPF_CORE_READ(owner, mm);
}

/* Whether a file is a process's memory (/proc/PID/mem, whatever path it was opened by), open for writing. */
static __always_inline int is_writable_memory(struct file *file)
{
    if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != PROC_SUPER_MAGIC || !(BPF_CORE_READ(file, f_mode) & FMODE_WRITE)) return 0;
    char name[4] = {};
    const unsigned char *from = BPF_CORE_READ(file, f_path.dentry, d_name.name);
    bpf_probe_read_kernel_str(name, sizeof name, from);
    return name[0] == 'm' && name[1] == 'e' && name[2] == 'm';
}

/* The address space that writing to a file changes, or 0. */
static __always_inline __u64 space_of_file(struct file *file)
{
    return is_writable_memory(file) ? (__u64)BPF_CORE_READ(file, private_data) : 0;
}

static __always_inline void mark_written(struct task_struct *task, __u64 space)
{
    if (space == (__u64)task->mm) set_mark(space, EPITOPE_REASON_WRITTEN_BY_SELF);
    else set_mark_from_outside(space, EPITOPE_REASON_WRITTEN_BY_OTHER);
}

/* Whether a file position can be an address in a process's memory. Spares most calls that write small files the look at the file. */
static __always_inline int could_be_address(__u64 position)
{
    return position >= MIN_USER_ADDRESS;
}
