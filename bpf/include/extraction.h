/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What is copied while the call waits for its answer: code, registers, stack, and what the call was about. */
#pragma once

#include "payload.h"

static __always_inline void copy_code(struct epitope_event *event, const struct seen *at, const int sleepable)
{
    __u64 caller = event->callers_address, start = at->start, end = at->end;
    if (end - start > EPITOPE_CODE_BYTES) {
        if (caller - start > EPITOPE_SIDE_BYTES) start = caller - EPITOPE_SIDE_BYTES;
        if (end - caller > EPITOPE_SIDE_BYTES) end = caller + EPITOPE_SIDE_BYTES;
    }
    event->code_start = start;
    event->code_length = copy_pages(event->code, 0, start, end - start, sleepable);
    if (start + event->code_length >= caller) return;
    /* A page before the caller's isn't there (never touched, of a large mapping): from the caller's own page on. */
    start = (caller - 1) & ~4095ul;
    if (start < at->start) start = at->start;
    event->code_start = start;
    event->code_length = copy_pages(event->code, 0, start, end - start, sleepable);
}

static __always_inline void copy_address(struct epitope_event *event, __u64 address, __u64 length)
{
    if (!address || !length) return;
    if (length > EPITOPE_ADDRESS_BYTES) length = EPITOPE_ADDRESS_BYTES;
    __u64 bytes = length;
    FORGET(bytes);
    if (bytes > EPITOPE_ADDRESS_BYTES) return;
    if (!bpf_probe_read_user(event->address, bytes, (void *)address)) event->address_length = bytes;
}

/* socketcall keeps its arguments in memory, as 32-bit words. */
static __always_inline void read_socketcall(struct epitope_event *event)
{
    __u32 words[6] = {};
    event->subcall = event->arguments[0];
    __u64 from = event->arguments[1];
    for (int index = 0; index < 6; index++) {
        bpf_probe_read_user(&words[index], 4, (void *)(from + 4 * index));
        event->arguments[index] = words[index];
    }
}

/* What the call is about, by its number: a hook's call may have come by another call than its name's. */
static __always_inline void copy_arguments(struct scratch *scratch, __u32 slot, const int sleepable)
{
    struct epitope_event *event = &scratch->event;
    struct gathering *gathering = &scratch->gathering;
    __u64 *a = event->arguments;
    int narrow = event->is_narrow, size = narrow ? 4 : 8;
    __u32 number = event->call_number, socketcall = 0;
    enum { NONE, PATH, PATH_SECOND, ADDRESS, TO, PLAIN, PIECES, MESSAGE } what = NONE;
    if (narrow && number == 102) {
        read_socketcall(event);
        socketcall = event->subcall;
    }
    if (!narrow) {
        if (number == 59) what = PATH;
        else if (number == 322) what = PATH_SECOND;
        else if (number == 42 || number == 49) what = ADDRESS;
        else if (number == 44) what = TO;
        else if (number == 46 || number == 307) what = MESSAGE;
        else if (number == 1) what = PLAIN;
        else if (number == 20 || number == 328) what = PIECES;
    } else {
        if (number == 11) what = PATH;
        else if (number == 358) what = PATH_SECOND;
        else if (number == 362 || number == 361 || socketcall == 2 || socketcall == 3) what = ADDRESS;
        else if (number == 369 || socketcall == 11) what = TO;
        else if (number == 370 || number == 345 || socketcall == 16 || socketcall == 20) what = MESSAGE;
        else if (number == 4 || socketcall == 9) what = PLAIN;
        else if (number == 146 || number == 379) what = PIECES;
    }
    if (what == PATH || what == PATH_SECOND)
        bpf_probe_read_user_str(event->path, sizeof event->path, (void *)(what == PATH ? a[0] : a[1]));
    if (what == ADDRESS) copy_address(event, a[1], (__u32)a[2]);
    if (what == TO) copy_address(event, a[4], (__u32)a[5]);
    event->piece_count = 0;
    event->payload_length = 0;
    __builtin_memset(gathering, 0, sizeof *gathering);
    if (what < TO) return;
    gathering->narrow = narrow;
    if (what == TO || what == PLAIN) {
        if (sleepable) put_piece_waiting(slot, a[1], a[2], 0);
        else put_piece_at_once(slot, a[1], a[2], 0);
        return;
    }
    if (what == PIECES) {
        gathering->pieces = a[1];
        gathering->piece_count = a[2];
        gathering->message = 1;
    } else {
        int many = narrow ? number == 345 || socketcall == 20 : number == 307;
        copy_address(event, user_word(a[1], narrow), user_word(a[1] + size, 1));
        gathering->messages = a[1];
        gathering->message_count = many ? (__u32)a[2] > MOST_MESSAGES ? MOST_MESSAGES : (__u32)a[2] : 1;
    }
    gather(slot, sleepable);
}

/* The file of a descriptor of the current process, or 0. */
static __always_inline struct file *file_of(struct task_struct *task, __u32 descriptor)
{
    struct file *file = 0;
    if (descriptor < BPF_CORE_READ(task, files, fdt, max_fds))
        bpf_probe_read_kernel(&file, sizeof file, BPF_CORE_READ(task, files, fdt, fd) + descriptor);
    return file;
}

static __always_inline int is_socket(struct file *file)
{
    return file && (BPF_CORE_READ(file, f_inode, i_mode) & TYPE_MASK) == TYPE_SOCKET;
}

/* The address that a ring's request names: its own arguments are nowhere to be had. */
static __always_inline void copy_asked_address(struct scratch *scratch)
{
    struct epitope_event *event = &scratch->event;
    __u64 from = scratch->asked.address, length = scratch->asked.address_length;
    if (event->call_class == EPITOPE_CLASS_SEND && from) {
        struct msghdr *message = (struct msghdr *)from;
        from = (__u64)BPF_CORE_READ(message, msg_name);
        length = BPF_CORE_READ(message, msg_namelen);
    }
    if (!from || !length) return;
    FORGET(length);
    if (length > EPITOPE_ADDRESS_BYTES) return;
    if (!bpf_probe_read_kernel(event->address, length, (void *)from)) event->address_length = length;
}

/* What the socket that the call names says of itself: its process may be gone before the agent could ask. */
static __always_inline void describe_socket(struct scratch *scratch, struct task_struct *task)
{
    struct epitope_event *event = &scratch->event;
    struct socket *socket = (struct socket *)scratch->asked.socket;
    if (!socket) {
        __u32 splice = event->is_narrow ? 313 : 275, number = event->call_number;
        struct file *file = file_of(task, number == splice ? event->arguments[2] : event->arguments[0]);
        if (!is_socket(file)) return;
        socket = BPF_CORE_READ(file, private_data);
    }
    struct sock *sock = BPF_CORE_READ(socket, sk);
    struct epitope_socket_state *state = &event->socket;
    __u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
    state->type = BPF_CORE_READ(socket, type);
    if (family == 2) {
        __u32 local = BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr), peer = BPF_CORE_READ(sock, __sk_common.skc_daddr);
        __builtin_memcpy(state->local, &local, 4);
        __builtin_memcpy(state->peer, &peer, 4);
    } else if (family == 10) {
        BPF_CORE_READ_INTO(&state->local, sock, __sk_common.skc_v6_rcv_saddr);
        BPF_CORE_READ_INTO(&state->peer, sock, __sk_common.skc_v6_daddr);
    } else {
        return;
    }
    state->family = family;
    state->local_port = BPF_CORE_READ(sock, __sk_common.skc_num);
    state->peer_port = __builtin_bswap16(BPF_CORE_READ(sock, __sk_common.skc_dport));
}

static __always_inline void put_region(struct epitope_region *region, const struct seen *seen)
{
    region->start = seen->start;
    region->end = seen->end;
    region->inode = seen->inode;
    region->device = seen->device;
    region->protection = seen->protection;
    region->backing = seen->backing;
    region->may_be_written = seen->may_be_written;
    region->is_loader = seen->is_loader;
    region->generation = seen->generation;
}
