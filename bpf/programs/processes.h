/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Programs that follow processes: fork, exec, exit, and the ones that exist already. */
#pragma once

#include "../include/decision.h"
#include "../include/mark_triggers.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
    __u64 from = (__u64)parent->mm, to = (__u64)child->mm;
    if (!to) return 0;
    if (child->tgid != parent->tgid) inherit_beginning(parent, from, to);
    if (from == to) {
        if (is_marked(from)) record_starter(bpf_get_current_task_btf(), child);
        return 0;
    }
    reset_mark(as_number(child->mm), is_marked(from) ? reasons_of(from) | 1u << EPITOPE_REASON_INHERITED : 0, child->start_time);
    if (is_marked(from) && has_lost(from, EPITOPE_LOST_PROGRAM)) set_program_replaced(to);
    return 0;
}

/* Whether what the kernel has just mapped at an address for a new program is executable and not an image that stays as it is. A file that
 * was written a moment ago is one: its program begins now, and hasn't written it. Not static, so that it is verified once. */
__attribute__((noinline)) int is_modifiable_code(__u64 address)
{
    struct mapping_lookup lookup;
    struct mapping *mapping = &lookup.mapping;
    if (find_mapping(bpf_get_current_task_btf(), address, 0, &lookup)) return 1;
    struct inode *inode = (struct inode *)mapping->stack_pointer_or_inode;
    return mapping->protection & VM_EXEC &&
        (is_unbacked(mapping) || (inode && is_open_to_change(inode)) || mapping->protection & VM_WRITE);
}

/* Why a new program is marked from its start: enum epitope_reason, or 0. */
static __always_inline __u32 mark_reason_at_exec(struct task_struct *task)
{
    struct mm_struct *space = task->mm;
    struct inode *program = BPF_CORE_READ(space, exe_file, f_inode);
    if (program && is_memory_file(program)) return EPITOPE_REASON_PROGRAM;
    if (task->personality & READ_IMPLIES_EXEC) return EPITOPE_REASON_PERSONALITY;
    /* The loader, if the program names one: it runs first, and may be any file. */
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (is_modifiable_code(registers->ip)) return EPITOPE_REASON_PROGRAM;
    if (is_modifiable_code(BPF_CORE_READ(space, start_stack))) return EPITOPE_REASON_EXECUTABLE_STACK;
    if (is_modifiable_code(BPF_CORE_READ(space, start_code)) || is_modifiable_code(BPF_CORE_READ(space, end_code) - 1))
        return EPITOPE_REASON_EXECUTED;
    /* A tracer may write the memory without another check. */
    return task->ptrace ? EPITOPE_REASON_WRITTEN_BY_OTHER : 0;
}

/* How long the kernel may take to load a program, from a file system that takes its time. */
#define MAX_EXEC_TIME (10 * NSEC_PER_SEC)

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
    __u32 slot = 0, reason = mark_reason_at_exec(task);
    __u64 space = (__u64)task->mm;
    if (reason == EPITOPE_REASON_PROGRAM) {
        struct scratch *scratch = take_scratch(&slot);
        if (scratch) {
            report_program(task, slot, scratch);
            release_scratch(scratch);
        }
    }
    __u64 now = bpf_ktime_get_ns(), since = task->start_time;
    if (now - since > MAX_EXEC_TIME) since = now - MAX_EXEC_TIME;
    reset_mark(as_number(task->mm), reason ? 1u << reason : 0, since);
    bpf_map_delete_elem(&submitters, &space);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
    __u32 thread = task->pid;
    clear_agent_on_exit(task);
    forget_question_on_exit(task);
    bpf_map_delete_elem(&starters, &thread);
    return 0;
}

/* An address space ends, with its last process or in an exec: Linux 6.1 and later. */
SEC("tp_btf/exit_mmap")
int BPF_PROG(on_space_end, struct mm_struct *space)
{
    __u64 address = (__u64)space;
    bpf_map_delete_elem(&beginnings, &address);
    if (!may_have_mark(address)) return 0;
    bpf_map_delete_elem(&submitters, &address);
    delete_mark(address);
    return 0;
}

/* Run by the agent once processes have ended and there is room for marks again: before it looks at all processes, */
SEC("syscall")
int begin_turn(void *unused)
{
    struct mark_filter *filter = mark_filter();
    if (filter) filter->turn ^= 1;
    return 0;
}

static long clear_slot(__u32 index, void *unused)
{
    struct mark_filter *filter = mark_filter();
    if (!filter || index >= EPITOPE_FILTER_SLOTS) return 1;
    if (filter->slots[index] != SLOT_OVERFLOWED + (~filter->turn & 1)) return 0;
    filter->slots[index] = SLOT_MARKED;
    count(EPITOPE_COUNT_MARKS_RECOVERED);
    return 0;
}

/* and after it: clears the slots that overflowed before. */
SEC("syscall")
int end_turn(void *unused)
{
    bpf_loop(EPITOPE_FILTER_SLOTS, clear_slot, 0, 0);
    return 0;
}

/* Marks processes that existed before the program was loaded: one pass over all mappings of all processes, */
SEC("iter/task_vma")
int scan_mappings(struct bpf_iter__task_vma *context)
{
    struct task_struct *task = context->task;
    struct vm_area_struct *vma = context->vma;
    if (!task || !vma) return 0;
    struct mapping mapping = {};
    describe_vma(task, vma, &mapping);
    /* The mapping's address space: the task may run another program by now. */
    if (mapping.protection & VM_EXEC &&
        (is_unbacked(&mapping) || mapping.may_be_written || may_change(&mapping) || mapping.protection & VM_WRITE))
        set_mark((__u64)vma->vm_mm, EPITOPE_REASON_FOUND);
    if (task->ptrace) set_mark((__u64)vma->vm_mm, EPITOPE_REASON_WRITTEN_BY_OTHER);
    return 0;
}

/* and one over all open files, for those through which memory can be written. */
SEC("iter/task_file")
int scan_open_files(struct bpf_iter__task_file *context)
{
    struct file *file = context->file;
    if (context->task && file) set_mark_from_outside(space_of_file(file), EPITOPE_REASON_FOUND);
    return 0;
}
