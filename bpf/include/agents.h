/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which agent the programs work for, and whether it is running: the programs may outlive it. */
#pragma once

#include "program.h"

/* Set by the agent before loading. */
const volatile struct epitope_constants constants;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct epitope_agent);
} agents SEC(".maps");

/* Whether an agent runs that can continue or kill this process once it is stopped. An agent can't do that for itself. */
static __always_inline int agent_can_settle(const struct epitope_agent *agent, const struct task_struct *task)
{
    return agent->process && agent->process != (__u32)task->tgid;
}

static __always_inline int is_agent(const struct task_struct *task)
{
    __u32 zero = 0;
    struct epitope_agent *agent = bpf_map_lookup_elem(&agents, &zero);
    return agent && agent->process == (__u32)task->tgid;
}

/* When the agent's last thread exits, its process ID may be reused by another process. */
static __always_inline void clear_agent_on_exit(struct task_struct *task)
{
    __u32 zero = 0;
    struct epitope_agent *agent = bpf_map_lookup_elem(&agents, &zero);
    if (!agent || agent->process != (__u32)task->tgid || BPF_CORE_READ(task, signal, live.counter)) return;
    agent->process = 0;
    agent->since = bpf_ktime_get_boot_ns();
}
