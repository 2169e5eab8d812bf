/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Extraction: what is copied before the call is answered. */
#pragma once

#include "call_arguments.h"

enum { MAX_CALL_BYTES = 8 };             /* of an instruction that calls */

/* Whether a finding is about what stands on the stack, and not about the code that called: the caller's address is the library's then. */
static __always_inline int is_of_stack(__u32 finding)
{
    return finding == EPITOPE_FINDING_DEEPER || finding == EPITOPE_FINDING_IMPOSSIBLE || finding == EPITOPE_FINDING_UNCHECKED;
}

/* Whether the return address of such a finding lies where the page may have been written. If it was, its code is the caller's; if not,
 * the agent can read the library's. */
static __always_inline int is_return_copied(const struct scratch *scratch)
{
    const struct epitope_event *event = &scratch->event;
    const struct mapping *mapping = &scratch->mappings[CALLER_MAPPING];
    if (event->finding != EPITOPE_FINDING_IMPOSSIBLE && event->finding != EPITOPE_FINDING_UNCHECKED) return 0;
    return may_differ_from_file(mapping) && mapping->start < event->deeper_address && event->deeper_address <= mapping->end;
}

/* Copies the region whole, or what surrounds an address that code is called from. */
static __always_inline void copy_code(struct scratch *scratch, const struct mapping *mapping)
{
    struct epitope_event *event = &scratch->event;
    __u64 caller = scratch->code_place, start = mapping->start, end = mapping->end;
    event->code_start = start;
    event->code_length = 0;
    if (!end) return; /* nothing is mapped there */
    if (end - start > EPITOPE_CODE_BYTES) {
        if (caller - start > EPITOPE_SIDE_BYTES) start = caller - EPITOPE_SIDE_BYTES;
        /* Both pages of an instruction that lies across two are copied whole. */
        if ((start & (PAGE_SIZE - 1)) < MAX_CALL_BYTES) start &= ~(PAGE_SIZE - 1);
        if (end - caller > EPITOPE_SIDE_BYTES) end = caller + EPITOPE_SIDE_BYTES;
    }
    event->code_start = start;
    event->code_length = copy_pages(scratch, event->code, 0, start, end - start);
    if (start + event->code_length >= caller) return;
    /* A page before the caller's is missing (never touched, in a large mapping): start at the caller's own page. */
    start = (caller - 1) & ~(PAGE_SIZE - 1);
    if (start < mapping->start) start = mapping->start;
    event->code_start = start;
    event->code_length = copy_pages(scratch, event->code, 0, start, end - start);
}

/* Copies the registers, and the arguments as the call's interface passes them. */
static __always_inline void copy_registers(struct epitope_event *event, const struct pt_regs *registers)
{
    __u64 *to = event->registers, *argument = event->arguments;
    to[0] = registers->ax, to[1] = registers->bx, to[2] = registers->cx, to[3] = registers->dx;
    to[4] = registers->si, to[5] = registers->di, to[6] = registers->bp, to[7] = registers->sp;
    to[8] = registers->r8, to[9] = registers->r9, to[10] = registers->r10, to[11] = registers->r11;
    to[12] = registers->r12, to[13] = registers->r13, to[14] = registers->r14, to[15] = registers->r15;
    if (event->is_32bit_call) {
        argument[0] = (__u32)to[1], argument[1] = (__u32)to[2], argument[2] = (__u32)to[3];
        argument[3] = (__u32)to[4], argument[4] = (__u32)to[5], argument[5] = (__u32)to[6];
    } else {
        argument[0] = to[5], argument[1] = to[4], argument[2] = to[3];
        argument[3] = to[10], argument[4] = to[8], argument[5] = to[9];
    }
}

/* Fills in all of the event that is not copied from user memory. */
__attribute__((noinline)) int fill_event(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    struct epitope_event *event = &scratch->event;
    event->time = bpf_ktime_get_boot_ns();
    event->start_time = task->group_leader->start_boottime;
    event->cgroup = bpf_get_current_cgroup_id();
    event->process = task->tgid;
    event->thread = task->pid;
    event->user = bpf_get_current_uid_gid();
    event->marked_for = reasons_of((__u64)task->mm);
    bpf_get_current_comm(event->command, sizeof event->command);
    copy_region(&event->region, &scratch->mappings[CALLER_MAPPING]);
    event->region_file.offset = scratch->mappings[CALLER_MAPPING].offset;
    copy_registers(event, (struct pt_regs *)bpf_task_pt_regs(task));
    return 0;
}

/* Copies from user memory: arguments, data to be sent, and code. Pages that aren't in memory are noted, and not waited for. */
__attribute__((noinline)) int extract(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    __u32 class = scratch->event.call_class;
    scratch->missing_count = 0;
    __builtin_memset(scratch->missing, 0, sizeof scratch->missing);
    if (scratch->is_io_uring) copy_hook_address(scratch);
    else copy_arguments(scratch, slot);
    if (scratch->hook_arguments.socket ||
        (class != EPITOPE_CLASS_EXEC && class != EPITOPE_CLASS_IO_URING && class != EPITOPE_CLASS_IO_SUBMIT))
        copy_socket_state(scratch, bpf_get_current_task_btf());
    __u32 finding = scratch->event.finding, code = is_of_stack(finding) ? LIBRARY_MAPPING : CALLER_MAPPING;
    scratch->code_place = scratch->event.callers_address;
    if (is_return_copied(scratch)) {
        scratch->code_place = scratch->event.deeper_address;
        code = CALLER_MAPPING;
    }
    if (finding != EPITOPE_FINDING_UNATTRIBUTABLE) copy_code(scratch, &scratch->mappings[code]);
    return 0;
}
