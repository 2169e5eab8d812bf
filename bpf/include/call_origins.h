/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Callers that the stack doesn't show, since the call is made elsewhere: by a thread that they started, or for an io_uring request
 * that they submitted (io_uring.h). */
#pragma once

#include "caller.h"
#include "marks.h"

struct origin {
    __u64 start_time;                    /* of the process or thread that it applies to: its ID may be reused */
    __u64 caller, instruction_pointer;
    __u32 finding, is_32bit_code, defect, unused;
    struct mapping mapping;              /* of the caller */
    struct epitope_region library;
};

/* A caller that couldn't be inspected is recorded like one that was found. */
static __always_inline int is_origin(__u32 finding)
{
    return finding == EPITOPE_FINDING_DIRECT || finding == EPITOPE_FINDING_LIBRARY || finding == EPITOPE_FINDING_UNINSPECTABLE ||
        finding == EPITOPE_FINDING_IMPOSSIBLE;
}

/* Fills in what an inspection found. */
static __always_inline void fill_origin(struct origin *origin, const struct scratch *scratch, __u32 finding, __u64 start_time)
{
    __builtin_memset(origin, 0, sizeof *origin);
    origin->start_time = start_time;
    origin->caller = scratch->walk.caller;
    origin->instruction_pointer = scratch->event.instruction_pointer;
    origin->finding = finding;
    origin->defect = scratch->walk.defect;
    origin->is_32bit_code = scratch->event.is_32bit_code;
    origin->mapping = scratch->mappings[CALLER_MAPPING];
    origin->library = scratch->event.library;
}

/* Makes a recorded caller the result of an inspection, and returns its finding; 0 if it belongs to another process or thread. */
static __always_inline int apply_origin(struct scratch *scratch, const struct origin *origin, __u64 start_time)
{
    if (!origin || origin->start_time != start_time) return 0;
    scratch->walk.caller = origin->caller;
    scratch->walk.is_recorded = 1;
    scratch->walk.defect = origin->defect;
    scratch->mappings[CALLER_MAPPING] = origin->mapping;
    scratch->event.instruction_pointer = origin->instruction_pointer;
    scratch->event.is_32bit_code = origin->is_32bit_code;
    scratch->event.library = origin->library;
    return origin->finding;
}

/* The code that started a thread, or a child that shares memory, by the thread ID. A thread that runs only a library's own function has
 * no code outside of the library on its stack. An entry is deleted with its thread, and none is pushed out by others: where there is no
 * room, the address space has lost it, and its threads without a caller can't be inspected. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_STARTERS);
    __type(key, __u32);
    __type(value, struct origin);
} starters SEC(".maps");

__attribute__((noinline)) int store_starter(__u32 slot, __u32 finding, __u32 thread, __u64 start_time)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || !is_origin(finding)) return 0;
    struct origin origin;
    fill_origin(&origin, scratch, finding, start_time);
    if (bpf_map_update_elem(&starters, &thread, &origin, BPF_ANY))
        set_lost((__u64)bpf_get_current_task_btf()->mm, EPITOPE_LOST_STARTER);
    return 0;
}

__attribute__((noinline)) int load_starter(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 thread = task->pid;
    int finding = apply_origin(scratch, bpf_map_lookup_elem(&starters, &thread), task->start_boottime);
    if (!finding && has_lost((__u64)task->mm, EPITOPE_LOST_STARTER)) return EPITOPE_FINDING_UNINSPECTABLE;
    return finding;
}
