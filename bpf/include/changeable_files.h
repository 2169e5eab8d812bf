/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Files that only seem to stand behind the memory that they are mapped to: a process can map a file and change it then. */
#pragma once

#include "beginnings.h"
#include "inode_times.h"

/* Where a file comes from that has no name, or was written since the process began, and isn't a memory file. What it is depends on its
 * content then: a library that a program unpacked and loaded is an image, raw code is not. */
enum file_origin {
    FILE_OF_OTHERS = 0,
    UNLINKED_OLD,                        /* written before the process began: a package was upgraded */
    UNLINKED_NEW,
    NAMED_NEW,
    FILE_WITHOUT_NAME,                   /* it never had one */
};

/* Whether a file is in a memory file system: its last name can be removed at any time, and pages of its mappings can be filled
 * in through a descriptor (userfaultfd). */
static __always_inline int may_become_memory_file(struct inode *inode)
{
    unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
    return magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC;
}

static __always_inline int is_memory_file(struct inode *inode)
{
    return may_become_memory_file(inode) && BPF_CORE_READ(inode, i_nlink) == 0;
}

/* Mappings of devices aren't images: that of /dev/zero is anonymous. */
static __always_inline int is_regular(struct inode *inode)
{
    return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG;
}

/* Whether a descriptor or a shared mapping is open through which the file can be written. */
static __always_inline int is_open_for_writing(struct inode *inode)
{
    return BPF_CORE_READ(inode, i_writecount.counter) > 0;
}

/* How much older than the clock a time of a file can be: the kernel stamps files at its ticks. */
#define FILE_TIME_LAG (20 * 1000 * 1000ull)

/* Whether a time of a file is later than the start of the current process, or of the one that it was forked from and whose program it
 * runs. Not known, so no, without an agent that says when the machine began. */
static __always_inline int is_since_start(__u64 time)
{
    __u32 zero = 0;
    struct epitope_policy *policy = bpf_map_lookup_elem(&policies, &zero);
    return policy && policy->boot_time && time + FILE_TIME_LAG > policy->boot_time + current_beginning();
}

static __always_inline int was_written_since_start(struct inode *inode)
{
    struct file_time time = modification_time(inode);
    return is_since_start(time.seconds * NSEC_PER_SEC + time.nanoseconds);
}

static __always_inline __u8 origin_of_file(struct inode *inode, int is_nameless)
{
    int is_new = was_written_since_start(inode);
    if (BPF_CORE_READ(inode, i_nlink)) return is_new ? NAMED_NEW : FILE_OF_OTHERS;
    return is_nameless ? FILE_WITHOUT_NAME : is_new ? UNLINKED_NEW : UNLINKED_OLD;
}

/* Whether a file may become something else than an image, or isn't one, whoever wrote it. */
static __always_inline int is_open_to_change(struct inode *inode)
{
    return may_become_memory_file(inode) || is_open_for_writing(inode) || !BPF_CORE_READ(inode, i_nlink);
}

/* The same of a file that the process may have written: if it maps it as code, it is marked. Its inode's change time can't be set, so that
 * of a file that the process itself made is always young. */
static __always_inline int is_changeable(struct inode *inode)
{
    if (is_open_to_change(inode)) return 1;
    struct file_time time = change_time(inode);
    return is_since_start(time.seconds * NSEC_PER_SEC + time.nanoseconds);
}
