/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What is copied while the call waits for its answer: code, registers, stack, and what the call was about. */
#pragma once

#include "caller.h"

/* A sleepable program may wait for a page that is swapped out. */
#define READ_USER(sleepable, to, length, from) \
    (bpf_probe_read_user(to, length, (void *)(from)) && \
     (!(sleepable) || bpf_copy_from_user(to, length, (void *)(from))))

/* Copies page by page, so that one missing page doesn't hide the others; how many bytes from the start on. */
static __always_inline __u32 copy_pages(__u8 *to, __u64 from, __u64 wanted, const int sleepable)
{
    __u64 done = 0;
    #pragma unroll
    for (int page = 0; page < 3; page++) {
        __u64 length = 4096 - ((from + done) & 4095), place = done;
        if (done >= wanted) break;
        if (length > wanted - done) length = wanted - done;
        FORGET(place);
        FORGET(length);
        if (place >= EPITOPE_CODE_BYTES || length > 4096 || place + length > EPITOPE_CODE_BYTES) break;
        if (READ_USER(sleepable, to + place, length, from + done)) break;
        done += length;
    }
    return done;
}

static __always_inline void copy_code(struct epitope_event *event, const struct seen *at, const int sleepable)
{
    __u64 caller = event->callers_address, start = at->start, end = at->end;
    if (end - start > EPITOPE_CODE_BYTES) {
        if (caller - start > EPITOPE_SIDE_BYTES) start = caller - EPITOPE_SIDE_BYTES;
        if (end - caller > EPITOPE_SIDE_BYTES) end = caller + EPITOPE_SIDE_BYTES;
    }
    event->code_start = start;
    event->code_length = copy_pages(event->code, start, end - start, sleepable);
    if (start + event->code_length >= caller) return;
    /* A page before the caller's isn't there (never touched, of a large mapping): from the caller's own page on. */
    start = (caller - 1) & ~4095ul;
    if (start < at->start) start = at->start;
    event->code_start = start;
    event->code_length = copy_pages(event->code, start, end - start, sleepable);
}

static __always_inline __u64 user_word(__u64 address, int narrow)
{
    __u64 word = 0;
    bpf_probe_read_user(&word, narrow ? 4 : 8, (void *)address);
    return word;
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

static __always_inline void copy_payload(struct epitope_event *event, __u64 address, __u64 length, const int sleepable)
{
    event->payload_address = address;
    event->payload_length = length;
    event->payload_copied =
        copy_pages(event->payload, address, length > EPITOPE_PAYLOAD_BYTES ? EPITOPE_PAYLOAD_BYTES : length, sleepable);
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
static __always_inline void copy_arguments(struct epitope_event *event, const int sleepable)
{
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
    __u64 pieces = a[1];
    if (what == MESSAGE) {
        copy_address(event, user_word(a[1], narrow), user_word(a[1] + size, 1));
        pieces = user_word(a[1] + 2 * size, narrow);
    }
    __u64 from = a[1], length = a[2];
    if (what == MESSAGE || what == PIECES) {
        from = user_word(pieces, narrow);
        length = user_word(pieces + size, narrow);
    }
    if (what >= TO) copy_payload(event, from, length, sleepable);
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

/* What the socket that the call names says of itself: its process may be gone before the agent could ask. */
static __always_inline void describe_socket(struct epitope_event *event, struct task_struct *task)
{
    __u32 splice = event->is_narrow ? 313 : 275, number = event->call_number;
    struct file *file = file_of(task, number == splice ? event->arguments[2] : event->arguments[0]);
    if (!is_socket(file)) return;
    struct socket *socket = BPF_CORE_READ(file, private_data);
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
