/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* io_uring: one call submits a request, which may be carried out later by a thread of the kernel or on the way out of any other call. It
 * is attributed to the code that submitted it.
 *
 * Once code in unbacked memory has submitted a request to a ring of a process, or has set up a ring that the kernel polls (SQPOLL), all
 * that rings send for that process is attributed to that code: requests can wait for one another, and a polled ring takes them without a
 * call. Otherwise, what a thread of the kernel sends can't be attributed. */
#pragma once

#include "call_origins.h"
#include "cross_process_writes.h"
#include "send_buffer.h"

/* The code that submits requests to the rings of an address space. Deleted with it, and not pushed out by others: see `starters`. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_SUBMITTERS);
    __type(key, __u64);
    __type(value, struct origin);
} submitters SEC(".maps");

/* What a request's operation means to the program: enum epitope_syscall_class. */
static __always_inline __u32 class_of_request(__u32 operation)
{
    switch (operation) {
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC: return EPITOPE_CLASS_SEND;
    case IORING_OP_CONNECT: return EPITOPE_CLASS_CONNECT;
    case IORING_OP_ACCEPT:
    case IORING_OP_BIND:
    case IORING_OP_LISTEN: return EPITOPE_CLASS_SERVE;
    case IORING_OP_WRITEV:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_WRITE:
    case IORING_OP_SPLICE:
    case IORING_OP_WRITEV_FIXED: return EPITOPE_CLASS_WRITE;
    default: return EPITOPE_CLASS_NONE;
    }
}

static __always_inline struct file *file_of_request(struct task_struct *task, struct io_kiocb *request)
{
    __u32 flags = 0, place = BPF_CORE_READ(request, cqe.fd);
    bpf_probe_read_kernel(&flags, sizeof flags, &request->flags); /* wider since Linux 6.9 */
    if (!(flags & REQ_F_FIXED_FILE)) return file_of(task, place);
    unsigned long entry = 0;
    if (bpf_core_field_exists(request->ctx->file_table.data)) {
        struct io_rsrc_node *node = 0;
        if (place >= BPF_CORE_READ(request, ctx, file_table.data.nr)) return 0;
        bpf_probe_read_kernel(&node, sizeof node, BPF_CORE_READ(request, ctx, file_table.data.nodes) + place);
        if (node) entry = BPF_CORE_READ(node, file_ptr);
    } else if (bpf_core_field_exists(request->ctx->nr_user_files)) {
        if (place >= BPF_CORE_READ(request, ctx, nr_user_files)) return 0;
        bpf_probe_read_kernel(&entry, sizeof entry, BPF_CORE_READ(request, ctx, file_table.files) + place);
    }
    return (struct file *)(entry & ~7ul); /* its low bits are flags */
}

/* Stores the caller that an inspection found as the one that submits requests. A caller that couldn't be inspected is replaced by one
 * that could. */
__attribute__((noinline)) int store_submitter(__u32 slot, __u32 finding)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 space = (__u64)task->mm, start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    struct origin *old = bpf_map_lookup_elem(&submitters, &space);
    if (old && old->start_time == start_time && old->finding != EPITOPE_FINDING_UNINSPECTABLE) return 0;
    if (is_origin(finding)) {
        struct origin origin;
        fill_origin(&origin, scratch, finding, start_time);
        if (bpf_map_update_elem(&submitters, &space, &origin, BPF_ANY)) set_lost(space, EPITOPE_LOST_SUBMITTER);
    } else if (old) {
        bpf_map_delete_elem(&submitters, &space);
    }
    return 0;
}

/* The finding for a request that is being carried out: that of the code that submitted it; 0 where no code in unbacked memory is known
 * to have done so. */
__attribute__((noinline)) int load_submitter(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 space = (__u64)task->mm;
    int finding = apply_origin(scratch, bpf_map_lookup_elem(&submitters, &space), BPF_CORE_READ(task, group_leader, start_boottime));
    if (!finding && has_lost(space, EPITOPE_LOST_SUBMITTER)) return EPITOPE_FINDING_UNINSPECTABLE;
    return finding;
}

/* Whether at least one of io_submit's requests names a socket. More requests than are looked at count as if one did. */
enum { MAX_IO_SUBMIT_REQUESTS = 8 };
static __always_inline int io_submit_names_socket(struct task_struct *task, __u64 count, __u64 list, int is_32bit)
{
    if (count > MAX_IO_SUBMIT_REQUESTS) return 1;
    for (__u32 index = 0; index < MAX_IO_SUBMIT_REQUESTS; index++) {
        __u32 descriptor = 0;
        if (index >= count) return 0;
        __u64 request = user_word(list + index * (is_32bit ? 4 : 8), is_32bit);
        if (bpf_probe_read_user(&descriptor, sizeof descriptor, (void *)(request + 20))) return 0; /* struct iocb: aio_fildes */
        if (is_socket(file_of(task, descriptor))) return 1;
    }
    return 0;
}
