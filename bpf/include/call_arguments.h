/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The arguments of the call: its address, path or data, and the state of its socket. */
#pragma once

#include "files.h"
#include "send_buffer.h"

static __always_inline void copy_address(struct epitope_event *event, __u64 address, __u64 length)
{
    if (!address || !length) return;
    if (length > EPITOPE_ADDRESS_BYTES) length = EPITOPE_ADDRESS_BYTES;
    __u64 bytes = length;
    barrier_var(bytes);
    if (bytes > EPITOPE_ADDRESS_BYTES) return;
    if (!bpf_probe_read_user(event->address, bytes, (void *)address)) event->address_length = bytes;
}

/* socketcall has its arguments in memory, as 32-bit words. */
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

/* Which arguments hold what is copied. */
enum argument_form {
    NO_ARGUMENTS,
    PATH_FIRST,                          /* execve */
    PATH_SECOND,                         /* execveat */
    ADDRESS_SECOND,                      /* connect, bind: address and length */
    BUFFER_AND_ADDRESS,                  /* sendto: a buffer, and the address in the last two */
    BUFFER,                              /* write, send */
    BUFFER_LIST,                         /* writev: a list of buffers */
    MESSAGE,                             /* sendmsg: a message with address and list */
    MESSAGE_LIST,                        /* sendmmsg */
};

static __always_inline enum argument_form argument_form_64bit(__u32 number)
{
    if (number == NR64_EXECVE) return PATH_FIRST;
    if (number == NR64_EXECVEAT) return PATH_SECOND;
    if (number == NR64_CONNECT || number == NR64_BIND) return ADDRESS_SECOND;
    if (number == NR64_SENDTO) return BUFFER_AND_ADDRESS;
    if (number == NR64_SENDMSG) return MESSAGE;
    if (number == NR64_SENDMMSG) return MESSAGE_LIST;
    if (number == NR64_WRITE) return BUFFER;
    if (number == NR64_WRITEV || number == NR64_PWRITEV2) return BUFFER_LIST;
    return NO_ARGUMENTS;
}

/* `subcall`: of socketcall, else 0. */
static __always_inline enum argument_form argument_form_32bit(__u32 number, __u32 subcall)
{
    if (number == NR32_EXECVE) return PATH_FIRST;
    if (number == NR32_EXECVEAT) return PATH_SECOND;
    if (number == NR32_CONNECT || number == NR32_BIND || subcall == SOCKETCALL_BIND || subcall == SOCKETCALL_CONNECT) return ADDRESS_SECOND;
    if (number == NR32_SENDTO || subcall == SOCKETCALL_SENDTO) return BUFFER_AND_ADDRESS;
    if (number == NR32_SENDMSG || subcall == SOCKETCALL_SENDMSG) return MESSAGE;
    if (number == NR32_SENDMMSG || subcall == SOCKETCALL_SENDMMSG) return MESSAGE_LIST;
    if (number == NR32_WRITE || subcall == SOCKETCALL_SEND) return BUFFER;
    if (number == NR32_WRITEV || number == NR32_PWRITEV2) return BUFFER_LIST;
    return NO_ARGUMENTS;
}

/* Copies the data to be sent, in its pieces. */
static __always_inline void copy_payload(struct scratch *scratch, __u32 slot, enum argument_form form)
{
    struct epitope_event *event = &scratch->event;
    struct message_cursor *cursor = &scratch->message_cursor;
    __u64 *a = event->arguments;
    int is_32bit = scratch->has_32bit_layout, size = is_32bit ? 4 : 8;
    cursor->is_32bit = is_32bit;
    if (form == BUFFER_AND_ADDRESS || form == BUFFER) {
        add_piece(slot, a[1], a[2], 0);
        return;
    }
    if (form == BUFFER_LIST) {
        cursor->pieces = a[1];
        cursor->piece_count = a[2];
        cursor->message = 1;
    } else {
        copy_address(event, user_word(a[1], is_32bit), user_word(a[1] + size, 1));
        cursor->messages = a[1];
        cursor->message_count = form == MESSAGE ? 1 : (__u32)a[2] > MAX_MESSAGES ? MAX_MESSAGES : (__u32)a[2];
    }
    read_messages(slot);
}

/* Copies the call's arguments by its number: the call that a hook sees may not be the one that the hook is named for. */
static __always_inline void copy_arguments(struct scratch *scratch, __u32 slot)
{
    struct epitope_event *event = &scratch->event;
    __u64 *a = event->arguments;
    __u32 number = event->call_number, subcall = 0;
    if (event->is_32bit_call && number == NR32_SOCKETCALL) {
        read_socketcall(event);
        subcall = event->subcall;
    }
    enum argument_form form = event->is_32bit_call ? argument_form_32bit(number, subcall) : argument_form_64bit(number);
    if (form == PATH_FIRST || form == PATH_SECOND)
        bpf_probe_read_user_str(event->path, sizeof event->path, (void *)(form == PATH_FIRST ? a[0] : a[1]));
    if (form == ADDRESS_SECOND) copy_address(event, a[1], (__u32)a[2]);
    if (form == BUFFER_AND_ADDRESS) copy_address(event, a[4], (__u32)a[5]);
    event->piece_count = 0;
    event->payload_length = 0;
    __builtin_memset(&scratch->message_cursor, 0, sizeof scratch->message_cursor);
    if (form >= BUFFER_AND_ADDRESS) copy_payload(scratch, slot, form);
}

/* Copies the address that an io_uring request names, from the hook: the request's own arguments are not available. */
static __always_inline void copy_hook_address(struct scratch *scratch)
{
    struct epitope_event *event = &scratch->event;
    __u64 from = scratch->hook_arguments.address, length = scratch->hook_arguments.address_length;
    if (event->call_class == EPITOPE_CLASS_SEND && from) {
        struct msghdr *message = (struct msghdr *)from;
        from = (__u64)BPF_CORE_READ(message, msg_name);
        length = BPF_CORE_READ(message, msg_namelen);
    }
    if (!from || !length) return;
    barrier_var(length);
    if (length > EPITOPE_ADDRESS_BYTES) return;
    if (!bpf_probe_read_kernel(event->address, length, (void *)from)) event->address_length = length;
}

/* Copies the state of the socket that the call names: the process may be gone before the agent could look. */
static __always_inline void copy_socket_state(struct scratch *scratch, struct task_struct *task)
{
    struct epitope_event *event = &scratch->event;
    struct socket *socket = (struct socket *)scratch->hook_arguments.socket;
    if (!socket) {
        __u32 splice = event->is_32bit_call ? NR32_SPLICE : NR64_SPLICE, number = event->call_number;
        struct file *file = file_of(task, number == splice ? event->arguments[2] : event->arguments[0]);
        if (!is_socket(file)) return;
        socket = BPF_CORE_READ(file, private_data);
    }
    struct sock *sock = BPF_CORE_READ(socket, sk);
    struct epitope_socket_state *state = &event->socket;
    __u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
    state->type = BPF_CORE_READ(socket, type);
    if (family == AF_INET) {
        __u32 local = BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr), peer = BPF_CORE_READ(sock, __sk_common.skc_daddr);
        __builtin_memcpy(state->local, &local, 4);
        __builtin_memcpy(state->peer, &peer, 4);
    } else if (family == AF_INET6) {
        BPF_CORE_READ_INTO(&state->local, sock, __sk_common.skc_v6_rcv_saddr);
        BPF_CORE_READ_INTO(&state->peer, sock, __sk_common.skc_v6_daddr);
    } else {
        return;
    }
    state->family = family;
    state->local_port = BPF_CORE_READ(sock, __sk_common.skc_num);
    state->peer_port = __builtin_bswap16(BPF_CORE_READ(sock, __sk_common.skc_dport));
}
