/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Exclusions: kinds of evidence that policy ignores for a program, a cgroup or a user. Looked up only when there is evidence. */
#pragma once

#include "program.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_EXCLUSIONS);
    __type(key, struct epitope_exclusion_key);
    __type(value, struct epitope_exclusion);
} exclusions SEC(".maps");

/* An inode's ctime: one member until Linux 6.5, under another name until 6.10, two since. */
struct timespec64 { __s64 tv_sec; long tv_nsec; };
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode___until_6_5 { struct timespec64 i_ctime; };
struct inode___until_6_10 { struct timespec64 __i_ctime; };
struct inode___since_6_11 { __s64 i_ctime_sec; __u32 i_ctime_nsec; };
#pragma clang attribute pop

/* Whether a file still has the ctime that the exclusion was made for. */
static __always_inline int is_unchanged(struct inode *inode, const struct epitope_exclusion *exclusion)
{
    __s64 seconds, nanoseconds;
    struct inode___since_6_11 *latest = (void *)inode;
    struct inode___until_6_10 *middle = (void *)inode;
    struct inode___until_6_5 *first = (void *)inode;
    if (bpf_core_field_exists(latest->i_ctime_sec)) {
        seconds = BPF_CORE_READ(latest, i_ctime_sec);
        nanoseconds = BPF_CORE_READ(latest, i_ctime_nsec) & ~I_CTIME_QUERIED;
    } else if (bpf_core_field_exists(middle->__i_ctime)) {
        seconds = BPF_CORE_READ(middle, __i_ctime.tv_sec);
        nanoseconds = BPF_CORE_READ(middle, __i_ctime.tv_nsec);
    } else {
        seconds = BPF_CORE_READ(first, i_ctime.tv_sec);
        nanoseconds = BPF_CORE_READ(first, i_ctime.tv_nsec);
    }
    return seconds == exclusion->changed_seconds && nanoseconds == exclusion->changed_nanoseconds;
}

static __always_inline struct epitope_exclusion *exclusion_for(__u64 first, __u32 second, __u32 subject)
{
    struct epitope_exclusion_key key = {first, second, subject};
    return bpf_map_lookup_elem(&exclusions, &key);
}

enum { MAX_CGROUP_LEVEL = 12 };          /* the agent's limit, too */

/* EPITOPE_KIND_* that are excluded for the current process. */
__attribute__((noinline)) __u32 excluded_kinds(void)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct inode *program = BPF_CORE_READ(task, mm, exe_file, f_inode);
    __u32 kinds = 0, user = bpf_get_current_uid_gid();
    struct epitope_exclusion *exclusion =
        exclusion_for(BPF_CORE_READ(program, i_ino), BPF_CORE_READ(program, i_sb, s_dev), EPITOPE_SUBJECT_EXECUTABLE);
    if (exclusion && is_unchanged(program, exclusion)) kinds |= exclusion->kinds;
    for (int level = 1; level <= MAX_CGROUP_LEVEL; level++) {
        __u64 group = bpf_get_current_ancestor_cgroup_id(level);
        if (!group) break;
        exclusion = exclusion_for(group, 0, EPITOPE_SUBJECT_CGROUP);
        if (exclusion) kinds |= exclusion->kinds;
    }
    /* Not for a set-user-ID program: its user isn't alone in control of it. */
    if (user == BPF_CORE_READ(task, cred, euid.val)) {
        exclusion = exclusion_for(user, 0, EPITOPE_SUBJECT_USER);
        if (exclusion) kinds |= exclusion->kinds;
    }
    return kinds;
}
