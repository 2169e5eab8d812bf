/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Security hooks of critical calls, which deny them.
 *
 * Each handler is attached in one of two ways. As a hook of the BPF security module (lsm), it may wait for user memory. Where that module
 * isn't active, at the kernel function that calls the modules, whose result it then replaces (fmod_ret, BPF_MODIFY_RETURN: allowed for
 * functions named security_*); there it may not wait. */
#pragma once

#include "../include/decision.h"

static __always_inline int on_security_hook(__u32 class, const int sleepable, __u64 socket, __u64 address, __u64 length)
{
    if (!needs_inspection((__u64)bpf_get_current_task_btf()->mm)) return 0;
    return respond(handle_call(class, sleepable, 1, (struct hook_arguments){socket, address, length}));
}

#define CRITICAL(hook, function, class, socket, address, length) \
    SEC("lsm.s/" #hook) int BPF_PROG(lsm_##hook) { return on_security_hook(class, 1, socket, address, length); } \
    SEC("fmod_ret/security_" #function) int BPF_PROG(fmod_ret_##hook) { return on_security_hook(class, 0, socket, address, length); }

CRITICAL(socket_sendmsg, socket_sendmsg, EPITOPE_CLASS_SEND, ctx[0], ctx[1], 0)
CRITICAL(socket_connect, socket_connect, EPITOPE_CLASS_CONNECT, ctx[0], ctx[1], ctx[2])
CRITICAL(socket_bind, socket_bind, EPITOPE_CLASS_SERVE, ctx[0], ctx[1], ctx[2])
CRITICAL(socket_listen, socket_listen, EPITOPE_CLASS_SERVE, ctx[0], 0, 0)
CRITICAL(socket_accept, socket_accept, EPITOPE_CLASS_SERVE, ctx[0], 0, 0)
CRITICAL(bprm_check_security, bprm_check, EPITOPE_CLASS_EXEC, 0, 0, 0)

/* A ring that a thread of the kernel polls: no call submits its requests. */
SEC("lsm/uring_sqpoll")
int BPF_PROG(lsm_uring_sqpoll) { return on_security_hook(EPITOPE_CLASS_IO_URING, 0, 0, 0, 0); }
SEC("fmod_ret/security_uring_sqpoll")
int BPF_PROG(fmod_ret_uring_sqpoll) { return on_security_hook(EPITOPE_CLASS_IO_URING, 0, 0, 0, 0); }

static __always_inline int is_sendfile_or_splice(unsigned long number, int is_32bit)
{
    if (is_32bit) return number == NR32_SENDFILE || number == NR32_SENDFILE64 || number == NR32_SPLICE;
    return number == NR64_SENDFILE || number == NR64_SPLICE;
}

/* Before Linux 6.5, sendfile and splice reach a socket without its send hook. Every read and write passes here, so the call's number is
 * checked first. Loaded only where it is needed. */
static __always_inline int on_file_permission(struct file *file, int mask)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!(mask & MAY_WRITE)) return 0;
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    unsigned long number = call_number(registers->orig_ax);
    if (!(task->flags & PF_IO_WORKER) && number != NR_IO_URING_ENTER && !is_sendfile_or_splice(number, is_32bit_call(task))) return 0;
    if (!task->mm || !is_marked((__u64)task->mm) || !is_socket(file)) return 0;
    return respond(handle_call(EPITOPE_CLASS_WRITE, 0, 1, (struct hook_arguments){.socket = (__u64)BPF_CORE_READ(file, private_data)}));
}

SEC("lsm/file_permission")
int BPF_PROG(lsm_file_permission, struct file *file, int mask) { return on_file_permission(file, mask); }
SEC("fmod_ret/security_file_permission")
int BPF_PROG(fmod_ret_file_permission, struct file *file, int mask) { return on_file_permission(file, mask); }

/* Loaded alone, to find out whether a kernel supports the second way. */
SEC("?fmod_ret/security_socket_listen")
int BPF_PROG(fmod_ret_probe) { return 0; }
