/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The times of a file, which each range of kernels keeps in other members of its inode. */
#pragma once

#include "program.h"

struct file_time { __s64 seconds, nanoseconds; };

struct timespec64 { __s64 tv_sec; long tv_nsec; };
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode___until_6_5 { struct timespec64 i_ctime; };
struct inode___until_6_6 { struct timespec64 i_mtime; };
struct inode___until_6_10 { struct timespec64 __i_ctime, __i_mtime; };
struct inode___since_6_11 { __s64 i_ctime_sec, i_mtime_sec; __u32 i_ctime_nsec, i_mtime_nsec; };
#pragma clang attribute pop

/* When the inode changed last. */
static __always_inline struct file_time change_time(struct inode *inode)
{
    struct inode___since_6_11 *latest = (void *)inode;
    struct inode___until_6_10 *middle = (void *)inode;
    struct inode___until_6_5 *first = (void *)inode;
    if (bpf_core_field_exists(latest->i_ctime_sec))
        return (struct file_time){BPF_CORE_READ(latest, i_ctime_sec), BPF_CORE_READ(latest, i_ctime_nsec) & ~I_CTIME_QUERIED};
    if (bpf_core_field_exists(middle->__i_ctime))
        return (struct file_time){BPF_CORE_READ(middle, __i_ctime.tv_sec), BPF_CORE_READ(middle, __i_ctime.tv_nsec)};
    return (struct file_time){BPF_CORE_READ(first, i_ctime.tv_sec), BPF_CORE_READ(first, i_ctime.tv_nsec)};
}

/* When its content was written last, or what a process set that time to. */
static __always_inline struct file_time modification_time(struct inode *inode)
{
    struct inode___since_6_11 *latest = (void *)inode;
    struct inode___until_6_10 *middle = (void *)inode;
    struct inode___until_6_6 *first = (void *)inode;
    if (bpf_core_field_exists(latest->i_mtime_sec))
        return (struct file_time){BPF_CORE_READ(latest, i_mtime_sec), BPF_CORE_READ(latest, i_mtime_nsec)};
    if (bpf_core_field_exists(middle->__i_mtime))
        return (struct file_time){BPF_CORE_READ(middle, __i_mtime.tv_sec), BPF_CORE_READ(middle, __i_mtime.tv_nsec)};
    return (struct file_time){BPF_CORE_READ(first, i_mtime.tv_sec), BPF_CORE_READ(first, i_mtime.tv_nsec)};
}
