/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Files by their descriptors. */
#pragma once

#include "program.h"

/* The file of a descriptor of the current process, or 0. */
static __always_inline struct file *file_of(struct task_struct *task, __u32 descriptor)
{
    struct file *file = 0;
    if (descriptor < BPF_CORE_READ(task, files, fdt, max_fds))
        bpf_probe_read_kernel(&file, sizeof file, BPF_CORE_READ(task, files, fdt, fd) + descriptor);
    return file;
}

static __always_inline int is_socket(struct file *file)
{
    return file && (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK;
}
