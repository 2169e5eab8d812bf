/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Code in unbacked memory that had something done elsewhere: its address is none that the stack of the one who does it tells. */
#pragma once

#include "caller.h"

struct origin {
    __u64 start_time;                    /* of the process or thread that it is kept for: its number may be another's by now */
    __u64 caller, instruction_pointer;
    __u32 finding, is_narrow_code;
    struct seen seen;
    struct epitope_region library;
};

/* A caller that couldn't be inspected is kept like one that was found. */
static __always_inline int is_origin(__u32 finding)
{
    return finding == EPITOPE_FINDING_DIRECT || finding == EPITOPE_FINDING_LIBRARY || finding == EPITOPE_FINDING_UNINSPECTABLE;
}

/* What an inspection found, to be kept. */
static __always_inline void keep_origin(struct origin *origin, const struct scratch *scratch, __u32 finding, __u64 start_time)
{
    __builtin_memset(origin, 0, sizeof *origin);
    origin->start_time = start_time;
    origin->caller = scratch->walk.caller;
    origin->instruction_pointer = scratch->event.instruction_pointer;
    origin->finding = finding;
    origin->is_narrow_code = scratch->event.is_narrow_code;
    origin->seen = scratch->seen[SEEN_CALLER];
    origin->library = scratch->event.library;
}

/* Makes it what an inspection found; 0 where it is another's. */
static __always_inline int take_origin(struct scratch *scratch, const struct origin *origin, __u64 start_time)
{
    if (!origin || origin->start_time != start_time) return 0;
    scratch->walk.caller = origin->caller;
    scratch->seen[SEEN_CALLER] = origin->seen;
    scratch->event.instruction_pointer = origin->instruction_pointer;
    scratch->event.is_narrow_code = origin->is_narrow_code;
    scratch->event.library = origin->library;
    return origin->finding;
}

/* Who started a thread, or a child that shares memory: by its number. Where a library's own function is what it runs, no
 * code outside of the library is on its stack. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u32);
    __type(value, struct origin);
} starters SEC(".maps");

__attribute__((noinline)) int remember_starter(__u32 slot, __u32 finding, __u32 thread, __u64 start_time)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || !is_origin(finding)) return 0;
    struct origin origin;
    keep_origin(&origin, scratch, finding, start_time);
    bpf_map_update_elem(&starters, &thread, &origin, BPF_ANY);
    return 0;
}

__attribute__((noinline)) int find_starter(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 thread = task->pid;
    return take_origin(scratch, bpf_map_lookup_elem(&starters, &thread), task->start_boottime);
}
