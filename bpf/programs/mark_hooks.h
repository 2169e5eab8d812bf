/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Security hooks, and functions that call them, by which address spaces are marked. They deny nothing. */
#pragma once

#include "../include/agents.h"
#include "../include/cross_process_writes.h"
#include "../include/mark_triggers.h"

SEC("lsm/mmap_file")
int BPF_PROG(lsm_mmap_file, struct file *file, unsigned long requested, unsigned long protection)
{
    mark_mapping(bpf_get_current_task_btf(), file, protection);
    return 0;
}
SEC("fentry/security_mmap_file")
int BPF_PROG(fmod_ret_mmap_file, struct file *file, unsigned long requested)
{
    /* Without what READ_IMPLIES_EXEC adds: such a process is marked for its personality, at exec and below. */
    mark_mapping(bpf_get_current_task_btf(), file, requested);
    return 0;
}

/* No hook is called for a personality, nor for the heap that grows under it. */
SEC("fentry/__x64_sys_personality")
int BPF_PROG(with_hooks_personality, struct pt_regs *registers) { return on_personality(registers->di); }
SEC("fentry/__ia32_sys_personality")
int BPF_PROG(with_hooks_personality_32bit, struct pt_regs *registers) { return on_personality(registers->bx); }

/* Not as a hook: that would have to say what prctl returns. */
SEC("fentry/security_task_prctl")
int BPF_PROG(with_hooks_task_prctl, int option, unsigned long request)
{
    on_process_control((__u32)option, request);
    return 0;
}

/* A process that may attach to another may write its code: a debugger, /proc/PID/mem, process_vm_writev. The agent only reads, and may come
 * too late: the process may run another program by then. */
static __always_inline int on_ptrace_access(struct task_struct *child, unsigned int mode)
{
    if (mode & PTRACE_MODE_ATTACH && !is_agent(bpf_get_current_task_btf()))
        set_mark_from_outside((__u64)child->mm, EPITOPE_REASON_WRITTEN_BY_OTHER);
    return 0;
}

/* A process that asks to be traced. */
SEC("lsm/ptrace_traceme")
int BPF_PROG(lsm_ptrace_traceme) { return on_ptrace_access(bpf_get_current_task_btf(), PTRACE_MODE_ATTACH); }
SEC("fentry/security_ptrace_traceme")
int BPF_PROG(fmod_ret_ptrace_traceme) { return on_ptrace_access(bpf_get_current_task_btf(), PTRACE_MODE_ATTACH); }

SEC("lsm/ptrace_access_check")
int BPF_PROG(lsm_ptrace_access_check, struct task_struct *child, unsigned int mode) { return on_ptrace_access(child, mode); }
SEC("fentry/security_ptrace_access_check")
int BPF_PROG(fmod_ret_ptrace_access_check, struct task_struct *child, unsigned int mode) { return on_ptrace_access(child, mode); }

/* A process may open its own /proc/self/mem without such a check. */
static __always_inline int on_file_open(struct file *file)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (is_writable_memory(file)) set_mark((__u64)task->mm, EPITOPE_REASON_WRITTEN_BY_SELF);
    return 0;
}

SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file) { return on_file_open(file); }
SEC("fentry/security_file_open")
int BPF_PROG(fmod_ret_file_open, struct file *file) { return on_file_open(file); }

static __always_inline int on_mprotect(struct vm_area_struct *vma, unsigned long protection)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct mapping mapping = {};
    describe_vma(task, vma, &mapping);
    if (exposes_code(&mapping, protection)) set_mark((__u64)task->mm, EPITOPE_REASON_PROTECTED);
    return 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(lsm_file_mprotect, struct vm_area_struct *vma, unsigned long requested, unsigned long protection)
{
    return on_mprotect(vma, protection);
}
SEC("fentry/security_file_mprotect")
int BPF_PROG(fmod_ret_file_mprotect, struct vm_area_struct *vma, unsigned long requested, unsigned long protection)
{
    return on_mprotect(vma, protection);
}
