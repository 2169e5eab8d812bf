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

/* A pointer for a function that isn't inlined: of those the verifier wants numbers. */
static __always_inline __u64 as_number(const void *pointer)
{
    __u64 number = 0;
    bpf_probe_read_kernel(&number, sizeof number, &pointer);
    return number;
}

/* The x32 interface (CONFIG_X86_X32): 64-bit calls with a bit set in their number. Those whose structures differ have numbers of their
 * own, and the 32-bit interface's structures. */
#define X32_CALL 0x40000000ul
enum { FIRST_X32_NUMBER = 512 };

/* The 64-bit interface's number of a call. */
static __always_inline __u64 call_number(__u64 number)
{
    if (!(number & X32_CALL) || number >> 31) return number;
    switch ((__u32)number & ~(__u32)X32_CALL) {
    case NRX32_WRITEV: return NR64_WRITEV;
    case NRX32_SENDMSG: return NR64_SENDMSG;
    case NRX32_EXECVE: return NR64_EXECVE;
    case NRX32_PTRACE: return NR64_PTRACE;
    case NRX32_PWRITEV: return NR64_PWRITEV;
    case NRX32_SENDMMSG: return NR64_SENDMMSG;
    case NRX32_PROCESS_VM_WRITEV: return NR64_PROCESS_VM_WRITEV;
    case NRX32_IO_SUBMIT: return NR64_IO_SUBMIT;
    case NRX32_EXECVEAT: return NR64_EXECVEAT;
    case NRX32_PWRITEV2: return NR64_PWRITEV2;
    default: return number & ~(__u32)X32_CALL;
    }
}

/* Whether the structures that a 64-bit call's arguments point to are the 32-bit interface's. */
static __always_inline int has_32bit_layout(__u64 number)
{
    return number & X32_CALL && !(number >> 31) && ((__u32)number & ~(__u32)X32_CALL) >= FIRST_X32_NUMBER;
}

/* Whether the current call came in by the 32-bit interface. */
static __always_inline int is_32bit_call(const struct task_struct *task)
{
    return (task->thread_info.status & TS_COMPAT) != 0;
}
