/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which program made a call, and which file the caller's code is of. When the agent looks, the process may have ended, or run another
 * program. */
#pragma once

#include "marks.h"
#include "scratch.h"

enum { MAX_PATH_STEPS = 128 };           /* parts of a path, and mounts */

/* Takes one step up a path: adds the part's name, or goes on where its mount is mounted. 1 ends the walk. Nothing is locked: what is
 * renamed meanwhile may give a path that leads elsewhere, so the agent compares the file that it finds there. */
static long add_path_part(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 1;
    struct path_cursor *cursor = &scratch->path_cursor;
    struct dentry *dentry = (struct dentry *)cursor->dentry;
    struct mount *mount = (struct mount *)cursor->mount;
    if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
        struct mount *above = BPF_CORE_READ(mount, mnt_parent);
        cursor->is_whole = above == mount;
        cursor->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
        cursor->mount = (__u64)above;
        return above == mount;
    }
    __u32 used = cursor->used;
    barrier_var(used);
    if (used >= EPITOPE_PATH_BYTES) return 1;
    __u32 room = EPITOPE_PATH_BYTES - used;
    char *path = cursor->is_of_region ? scratch->event.region_path : scratch->event.program_path;
    long length = bpf_probe_read_kernel_str(path + used, room, BPF_CORE_READ(dentry, d_name.name));
    if (length <= 1 || length >= room) return 1;
    cursor->used = used + length;
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
    cursor->dentry = (__u64)parent;
    cursor->is_whole = parent == dentry; /* a memory file's has no folder */
    return parent == dentry;
}

/* Writes a file's path to the event. Its length; 0: not known, or too long. */
__attribute__((noinline)) int write_path(__u32 slot, __u64 file_address, int is_of_region)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct path_cursor *cursor = &scratch->path_cursor;
    struct file *file = (struct file *)file_address;
    cursor->dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
    cursor->mount = (__u64)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
    cursor->used = cursor->is_whole = 0;
    cursor->is_of_region = is_of_region;
    bpf_loop(MAX_PATH_STEPS, add_path_part, &slot, 0);
    return cursor->is_whole ? cursor->used : 0;
}

/* Fills in the event's program. */
__attribute__((noinline)) int describe_program(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct epitope_running_program *program = &scratch->event.program;
    struct mm_struct *space = bpf_get_current_task_btf()->mm;
    struct file *file = BPF_CORE_READ(space, exe_file);
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    if (!inode) return 0;
    struct file_time changed = change_time(inode);
    program->inode = BPF_CORE_READ(inode, i_ino);
    program->device = BPF_CORE_READ(inode, i_sb, s_dev);
    program->generation = BPF_CORE_READ(inode, i_generation);
    program->links = BPF_CORE_READ(inode, i_nlink);
    program->changed_seconds = changed.seconds;
    program->changed_nanoseconds = changed.nanoseconds;
    program->start_code = BPF_CORE_READ(space, start_code);
    program->start_stack = BPF_CORE_READ(space, start_stack);
    program->may_be_replaced = has_lost((__u64)space, EPITOPE_LOST_PROGRAM);
    program->path_length = write_path(slot, (__u64)file, 0);
    return 0;
}

/* The callback of bpf_find_vma. */
static long keep_file(struct task_struct *task, struct vm_area_struct *vma, void *file)
{
    *(__u64 *)file = (__u64)BPF_CORE_READ(vma, vm_file);
    return 0;
}

/* Fills in the state of the file that the event's region is of. A caller that was recorded may have no mapping any more. */
__attribute__((noinline)) int describe_region_file(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct epitope_event *event = &scratch->event;
    const struct mapping *mapping = &scratch->mappings[CALLER_MAPPING];
    __u64 file = 0;
    if (!may_differ_from_file(mapping) || scratch->walk.is_recorded) return 0;
    if (mapping->inode == event->program.inode && mapping->device == event->program.device) return 0;
    if (bpf_find_vma(bpf_get_current_task_btf(), mapping->start, keep_file, &file, 0)) return 0;
    struct inode *inode = BPF_CORE_READ((struct file *)file, f_inode);
    if (!inode) return 0;
    struct file_time changed = change_time(inode);
    event->region_file.changed_seconds = changed.seconds;
    event->region_file.changed_nanoseconds = changed.nanoseconds;
    event->region_file.path_length = write_path(slot, file, 1);
    return 0;
}
