/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Exclusions: kinds of evidence that policy ignores for a program, a cgroup or a user. Looked up only when there is evidence. */
#pragma once

#include "inode_times.h"
#include "marks.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_EXCLUSIONS);
    __type(key, struct epitope_exclusion_key);
    __type(value, struct epitope_exclusion);
} exclusions SEC(".maps");

/* Whether a file still has the ctime that the exclusion was made for. */
static __always_inline int is_unchanged(struct inode *inode, const struct epitope_exclusion *exclusion)
{
    struct file_time time = change_time(inode);
    return time.seconds == exclusion->changed_seconds && time.nanoseconds == exclusion->changed_nanoseconds;
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
    if (exclusion && is_unchanged(program, exclusion) && !has_lost((__u64)task->mm, EPITOPE_LOST_PROGRAM)) kinds |= exclusion->kinds;
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
