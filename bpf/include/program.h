/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What every part of the program starts from. */
#pragma once

#define EPITOPE_BPF 1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "kernel_types.h"
#include "epitope_event.h"

#define ERROR_PERMISSION 1
#define ERROR_BUSY 16
#define ACCESS_ATTACH 2u               /* PTRACE_MODE_ATTACH */
#define MAP_ANONYMOUS 0x20u
#define MODE_WRITE 2u                   /* FMODE_WRITE */
#define WORKER_THREAD 0x10u              /* PF_IO_WORKER: an io_uring worker, which has no user registers */
#define READ_IMPLIES_EXECUTE 0x400000u
#define SEGMENT_EXECUTE 0100000u         /* SHM_EXEC */
#define FLAG_READ 1ul
#define FLAG_WRITE 2ul
#define FLAG_EXECUTE 4ul
#define FLAG_SHARED 8ul
#define FLAG_GROWS_DOWN 0x100ul
#define NANOSECONDS 1000000000ull
#define MAGIC_TMPFS 0x01021994ul
#define MAGIC_PROC 0x9fa0ul
#define MAGIC_HUGETLBFS 0x958458f6ul
#define NARROW_CODE 0x23ul               /* the code segment of 32-bit code */
#define NARROW_CALL 2u                   /* TS_COMPAT: the call came in by the 32-bit interface */
#define TYPE_MASK 0170000
#define TYPE_SOCKET 0140000
#define TYPE_REGULAR 0100000

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

/* Keeps the compiler from knowing a value, so that a check right after it is one that the verifier sees. */
#define FORGET(value) asm volatile("" : "+r"(value))
