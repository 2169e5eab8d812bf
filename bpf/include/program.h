/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What every part of the program needs: the kernel's types and constants, what is shared with the agent, the policy, the
 * counters. */
#pragma once

#define EPITOPE_BPF 1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "epitope_event.h"
#include "epitope_maps.h"
#include "kernel_constants.h"
#include "kernel_types.h"
#include "syscalls.h"

/* The lowest address that a program can have mapped (the first page never is), and the first one behind user space. */
#define MIN_USER_ADDRESS PAGE_SIZE
#define USER_ADDRESS_END 0x7ffffffff000ul

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct epitope_policy);
} policies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EPITOPE_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 counter)
{
    __u64 *value = bpf_map_lookup_elem(&counters, &counter);
    if (value) __sync_fetch_and_add(value, 1);
}

/* Whether the current call came in by the 32-bit interface. */
static __always_inline int is_32bit_call(const struct task_struct *task)
{
    return (task->thread_info.status & TS_COMPAT) != 0;
}
