/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Programs at the submission of io_uring requests. */
#pragma once

#include "../include/decision.h"

/* With hooks, the code that submits a request is recorded for when the request is carried out. With tracepoints alone, what a
 * thread of the kernel takes from a polled ring is handled here; the rest was at the entry of io_uring_enter. In both cases a
 * request can write a process's memory. */
static __always_inline int on_io_uring_submit(struct io_kiocb *request, const int with_hooks)
{
    __u32 class = class_of_request(BPF_CORE_READ(request, opcode));
    if (!class) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 space = (__u64)task->mm;
    int polled = (task->flags & PF_IO_WORKER) != 0;
    struct file *file = 0;
    if (class == EPITOPE_CLASS_WRITE) {
        file = file_of_request(task, request);
        mark_written(task, space_of_file(file));
    }
    if (!space || !is_marked(space) || polled == with_hooks) return 0;
    if (!file) file = file_of_request(task, request);
    if (!is_socket(file)) return 0;
    if (with_hooks) record_submitter(task);
    else respond(handle_call(class, 0, 0, (struct hook_arguments){.socket = (__u64)BPF_CORE_READ(file, private_data)}));
    return 0;
}

/* Linux 6.2 renamed the tracepoint from submit_sqe to submit_req. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(tracepoint_io_uring_submit_sqe, struct io_kiocb *request) { return on_io_uring_submit(request, 0); }
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(tracepoint_io_uring_submit_req, struct io_kiocb *request) { return on_io_uring_submit(request, 0); }
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(with_hooks_io_uring_submit_sqe, struct io_kiocb *request) { return on_io_uring_submit(request, 1); }
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(with_hooks_io_uring_submit_req, struct io_kiocb *request) { return on_io_uring_submit(request, 1); }
