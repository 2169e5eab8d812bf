/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The program at the entry of every system call, where calls can't be denied. */
#pragma once

#include "../include/decision.h"
#include "../include/mark_triggers.h"

/* A call that may make unbacked executable memory, or write code, in the caller's address space or another's. Returns the class of
 * the critical call that it also is, else 0. */
static __always_inline __u32 mark_by_call(struct task_struct *task, struct pt_regs *registers, __u32 class, __u64 number, int is_32bit)
{
    __u64 space = (__u64)task->mm;
    __u64 first = is_32bit ? (__u32)registers->bx : registers->di, second = is_32bit ? (__u32)registers->cx : registers->si;
    __u64 third = is_32bit ? (__u32)registers->dx : registers->dx;
    switch (class) {
    case EPITOPE_CLASS_MAP: {
        /* The oldest mmap has its arguments in memory: it is rare, so they aren't read. */
        if (is_32bit && number == NR32_MMAP) {
            set_mark(space, EPITOPE_REASON_MAPPED);
            break;
        }
        __u64 flags = is_32bit ? registers->si : registers->r10, descriptor = is_32bit ? registers->di : registers->r8;
        mark_mapping(task, flags & MAP_ANONYMOUS ? 0 : file_of(task, descriptor), third);
        break;
    }
    case EPITOPE_CLASS_PROTECT:
        if (!is_marked(space)) mark_protection(first, second, third);
        break;
    case EPITOPE_CLASS_ATTACH:
        if (third & SHM_EXEC) set_mark(space, EPITOPE_REASON_ATTACHED);
        break;
    case EPITOPE_CLASS_IPC:
        if ((first & 0xffff) == IPC_SHMAT && third & SHM_EXEC) set_mark(space, EPITOPE_REASON_ATTACHED);
        break;
    case EPITOPE_CLASS_PERSONALITY:
        on_personality(first);
        break;
    case EPITOPE_CLASS_CONTROL:
        on_process_control((__u32)first, second);
        break;
    case EPITOPE_CLASS_TRACE:
        if (first == PTRACE_POKETEXT || first == PTRACE_POKEDATA) mark_written(task, space_of_process(second));
        break;
    case EPITOPE_CLASS_WRITE_OTHER:
        mark_written(task, space_of_process(first));
        break;
    case EPITOPE_CLASS_SEEK: {
        __u64 offset = second, whence = third;
        if (is_32bit && number == NR32_LLSEEK) offset = second << 32 | third, whence = (__u32)registers->di;
        if (whence == SEEK_SET ? could_be_address(offset) : whence == SEEK_CUR && offset)
            mark_written(task, space_of_file(file_of(task, first)));
        break;
    }
    case EPITOPE_CLASS_WRITE_AT: {
        __u64 position = is_32bit ? (__u64)registers->di << 32 | (__u32)registers->si : registers->r10;
        /* pwritev2 without a position is a write. */
        if (position == -1ul && (number == NR64_PWRITEV2 || number == NR32_PWRITEV2)) return EPITOPE_CLASS_WRITE;
        if (could_be_address(position)) mark_written(task, space_of_file(file_of(task, first)));
        break;
    }
    }
    return 0;
}

/* Whether a call of a critical class is critical by its arguments. */
static __always_inline int is_critical(struct task_struct *task, struct pt_regs *registers, __u32 class, __u64 number, int is_32bit)
{
    __u64 second = is_32bit ? (__u32)registers->cx : registers->si, third = is_32bit ? (__u32)registers->dx : registers->dx;
    if (class == EPITOPE_CLASS_WRITE)
        return is_socket(file_of(task, is_32bit ? registers->bx : number == NR64_SPLICE ? registers->dx : registers->di));
    if (class == EPITOPE_CLASS_IO_SUBMIT)
        return io_submit_names_socket(task, second, third, is_32bit || has_32bit_layout(registers->orig_ax));
    if (class == EPITOPE_CLASS_IO_URING && number == NR_IO_URING_SETUP) {
        __u32 flags = 0;                 /* of struct io_uring_params */
        bpf_probe_read_user(&flags, sizeof flags, (void *)(second + 8));
        return (flags & IORING_SETUP_SQPOLL) != 0;
    }
    return 1;
}

static __always_inline int on_sys_enter(struct pt_regs *registers, long number)
{
    __u64 index = number;
    if (__builtin_expect(index >= EPITOPE_SYSCALLS, 0)) {
        index = call_number(index);
        barrier_var(index);
        if (index >= EPITOPE_SYSCALLS) return 0;
    }
    struct task_struct *task = bpf_get_current_task_btf();
    int is_32bit = is_32bit_call(task);
    __u32 class = constants.classes[is_32bit][index];
    if (!class) return 0;
    /* Critical calls of unmarked processes are the most frequent: their path is contiguous, the rest is behind it. */
    if (__builtin_expect(class >= EPITOPE_CLASS_MAP, 0)) {
        class = mark_by_call(task, registers, class, index, is_32bit);
        if (!class) return 0;
    }
    if (__builtin_expect(!needs_inspection((__u64)task->mm), 1) || !is_critical(task, registers, class, index, is_32bit)) return 0;
    respond(handle_call(class, 0, 0, (struct hook_arguments){}));
    return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(tracepoint_sys_enter, struct pt_regs *registers, long number) { return on_sys_enter(registers, number); }
