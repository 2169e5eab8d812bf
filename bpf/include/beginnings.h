/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* When the process began whose program runs: a child of fork runs its parent's, and what the parent wrote before is its own, too. */
#pragma once

#include "program.h"

/* The start of the process that ran exec last before an address space was forked from its own, in nanoseconds of CLOCK_BOOTTIME. An entry
 * is deleted with its address space. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_BEGINNINGS);
    __type(key, __u64);
    __type(value, __u64);
} beginnings SEC(".maps");

/* Of a forked process that isn't known, since it is older than the agent or there was no room, the machine's start. */
static __always_inline __u64 beginning_of(struct task_struct *task, __u64 space)
{
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    __u64 *known = bpf_map_lookup_elem(&beginnings, &space);
    if (known) return *known;
    return BPF_CORE_READ(leader, flags) & PF_FORKNOEXEC ? 0 : BPF_CORE_READ(leader, start_boottime);
}

/* Of the current process. Not inlined: it is verified once. */
__attribute__((noinline)) __u64 current_beginning(void)
{
    struct task_struct *task = bpf_get_current_task_btf();
    return beginning_of(task, (__u64)task->mm);
}

/* A process is forked: `space` is the child's, which may be the parent's own (vfork, posix_spawn). */
static __always_inline void inherit_beginning(struct task_struct *parent, __u64 from, __u64 space)
{
    __u64 beginning = beginning_of(parent, from);
    bpf_map_update_elem(&beginnings, &space, &beginning, BPF_ANY);
}
