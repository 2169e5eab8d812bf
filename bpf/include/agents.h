/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which agent the programs work for, and whether it is there: they may outlive it. */
#pragma once

#include "program.h"

/* Filled by the agent before loading. */
const volatile struct epitope_constants constants;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct epitope_agent);
} agents SEC(".maps");

/* Whether somebody settles what becomes of this process when it is held. An agent can't do that for itself. */
static __always_inline int settles(const struct epitope_agent *agent, const struct task_struct *task)
{
    return agent->process && agent->process != (__u32)task->tgid;
}

/* The agent's last thread ends: its number may be another process's from now on. */
static __always_inline void note_end(struct task_struct *task)
{
    __u32 zero = 0;
    struct epitope_agent *agent = bpf_map_lookup_elem(&agents, &zero);
    if (!agent || agent->process != (__u32)task->tgid || BPF_CORE_READ(task, signal, live.counter)) return;
    agent->process = 0;
    agent->since = bpf_ktime_get_boot_ns();
}
