/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* io_uring: a request is handed over by one call and may be carried out later, by a thread of the kernel's or on the way
 * out of any other call. Its sender is who handed it over.
 *
 * Once code in unbacked memory has handed a request to a ring of a process, or set up one that the kernel polls, whatever
 * rings send for that process counts as that code's: requests can wait for one another, and a polled ring takes them
 * without a call. Where nobody has, what a thread of the kernel's makes can't be attributed. */
#pragma once

#include "foreign.h"
#include "origins.h"

#define RING_NUMBER 426u                 /* io_uring_enter, for both interfaces */
#define REQUEST_FIXED 1u                 /* REQ_F_FIXED_FILE: its descriptor is a number of the ring's own */
#define POLLED 2u                        /* IORING_SETUP_SQPOLL */

/* Who handed requests to the rings of an address space. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct origin);
} submitters SEC(".maps");

/* What a request's operation is to the program (linux/io_uring.h). */
static __always_inline __u32 class_of_request(__u32 operation)
{
    switch (operation) {
    case 9: case 26: case 47: case 48: return EPITOPE_CLASS_SEND;     /* SENDMSG, SEND, SEND_ZC, SENDMSG_ZC */
    case 16: return EPITOPE_CLASS_CONNECT;
    case 13: case 56: case 57: return EPITOPE_CLASS_SERVE;            /* ACCEPT, BIND, LISTEN */
    case 2: case 5: case 23: case 30: case 60: return EPITOPE_CLASS_WRITE; /* WRITEV, WRITE_FIXED, WRITE, SPLICE, WRITEV_FIXED */
    default: return EPITOPE_CLASS_NONE;
    }
}

static __always_inline struct file *file_of_request(struct task_struct *task, struct io_kiocb *request)
{
    __u32 flags = 0, place = BPF_CORE_READ(request, cqe.fd);
    bpf_probe_read_kernel(&flags, sizeof flags, &request->flags); /* wider since Linux 6.9 */
    if (!(flags & REQUEST_FIXED)) return file_of(task, place);
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

/* Keeps who is in SEEN_CALLER as the one who hands requests over. A caller that couldn't be inspected gives way to one that
 * could. */
__attribute__((noinline)) int remember_submitter(__u32 slot, __u32 finding)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 space = (__u64)task->mm, start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    struct origin *old = bpf_map_lookup_elem(&submitters, &space);
    if (old && old->start_time == start_time && old->finding != EPITOPE_FINDING_UNINSPECTABLE) return 0;
    if (is_origin(finding)) {
        struct origin origin;
        keep_origin(&origin, scratch, finding, start_time);
        bpf_map_update_elem(&submitters, &space, &origin, BPF_ANY);
    } else if (old) {
        bpf_map_delete_elem(&submitters, &space);
    }
    return 0;
}

/* The finding about a ring's request that is carried out now: that of who handed it over; 0 where nobody in unbacked memory
 * is known to have done. */
__attribute__((noinline)) int find_submitter(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 space = (__u64)task->mm;
    return take_origin(scratch, bpf_map_lookup_elem(&submitters, &space), BPF_CORE_READ(task, group_leader, start_boottime));
}

/* Whether io_submit's requests are for a socket, one of them at least; more than a few are held to be. */
static __always_inline int submits_to_socket(struct task_struct *task, __u64 count, __u64 list, int narrow)
{
    if (count > 8) return 1;
    for (__u32 index = 0; index < 8; index++) {
        __u32 descriptor = 0;
        if (index >= count) return 0;
        __u64 request = user_word(list + index * (narrow ? 4 : 8), narrow);
        if (bpf_probe_read_user(&descriptor, sizeof descriptor, (void *)(request + 20))) return 0; /* struct iocb: aio_fildes */
        if (is_socket(file_of(task, descriptor))) return 1;
    }
    return 0;
}
