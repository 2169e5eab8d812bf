/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What a call is about to send: its messages, each in pieces that lie anywhere in memory. */
#pragma once

#include "caller.h"

/* At most a page; whether it couldn't be read. Functions of their own, so that nothing comes between the check and what it
 * allows. */
static __attribute__((noinline)) int read_at_once(__u8 *to, __u64 length, __u64 from)
{
    FORGET(length);
    return length > 4096 || bpf_probe_read_user(to, length, (void *)from);
}

/* A sleepable program may wait for a page that is swapped out. */
static __attribute__((noinline)) int read_waiting(__u8 *to, __u64 length, __u64 from)
{
    FORGET(length);
    return length > 4096 || (bpf_probe_read_user(to, length, (void *)from) && bpf_copy_from_user(to, length, (void *)from));
}

/* Copies page by page to a place in a buffer of EPITOPE_CODE_BYTES, which has room for as much, so that one missing page
 * doesn't hide the others; how many bytes from the start on. */
static __always_inline __u32 copy_pages(__u8 *to, __u64 first, __u64 from, __u64 wanted, const int sleepable)
{
    __u64 done = 0;
    #pragma unroll
    for (int page = 0; page < 3; page++) {
        __u64 length = 4096 - ((from + done) & 4095), place = first + done;
        if (done >= wanted) break;
        if (length > wanted - done) length = wanted - done;
        FORGET(place);
        if (place >= EPITOPE_CODE_BYTES) break; /* it never is: for the verifier */
        if (sleepable ? read_waiting(to + place, length, from + done) : read_at_once(to + place, length, from + done)) break;
        done += length;
    }
    return done;
}

/* Adds a piece to the event, as long as there is room: of its bytes, and in the list. When the list is full, its last
 * place is for the piece that the caller lies in. */
static __always_inline int put_piece(__u32 slot, __u64 address, __u64 length, __u32 message, const int sleepable)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct epitope_event *event = &scratch->event;
    event->payload_length += length;
    if (!length) return 0;
    __u64 caller = event->callers_address, index = event->piece_count;
    if (index >= EPITOPE_PIECES) {
        if (caller <= address || caller - address > length) return 0;
        index = EPITOPE_PIECES - 1;
    } else {
        event->piece_count = index + 1;
    }
    __u64 place = scratch->gathering.used, wanted = length;
    if (place > EPITOPE_PAYLOAD_BYTES) return 0;
    if (wanted > EPITOPE_PAYLOAD_BYTES - place) wanted = EPITOPE_PAYLOAD_BYTES - place;
    __u32 copied = copy_pages(event->payload, place, address, wanted, sleepable);
    FORGET(index);
    if (index >= EPITOPE_PIECES) return 0;
    struct epitope_piece *piece = &event->pieces[index];
    piece->address = address;
    piece->length = length;
    piece->place = place;
    piece->copied = copied;
    piece->message = message;
    scratch->gathering.used = place + copied;
    return 0;
}

__attribute__((noinline)) int put_piece_waiting(__u32 slot, __u64 address, __u64 length, __u32 message)
{
    return put_piece(slot, address, length, message, 1);
}
__attribute__((noinline)) int put_piece_at_once(__u32 slot, __u64 address, __u64 length, __u32 message)
{
    return put_piece(slot, address, length, message, 0);
}

static __always_inline __u64 user_word(__u64 address, int narrow)
{
    __u64 word = 0;
    bpf_probe_read_user(&word, narrow ? 4 : 8, (void *)address);
    return word;
}

/* One piece, or the step to the next message. 1 ends it. */
static __always_inline long gather_one(__u32 slot, const int sleepable)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 1;
    struct gathering *at = &scratch->gathering;
    __u32 size = at->narrow ? 4 : 8;
    if (at->piece >= at->piece_count) {
        if (at->message >= at->message_count) return 1;
        /* struct msghdr: name, its length, pieces, their number. In a list, each is followed by a length. */
        __u64 header = at->messages + (__u64)at->message * (at->narrow ? 32 : 64);
        at->message++;
        at->piece = 0;
        at->pieces = user_word(header + 2 * size, at->narrow);
        at->piece_count = user_word(header + 3 * size, at->narrow);
        return 0;
    }
    __u64 piece = at->pieces + (__u64)at->piece * 2 * size;
    at->piece++;
    __u64 address = user_word(piece, at->narrow), length = user_word(piece + size, at->narrow);
    __u32 message = at->message - 1;
    if (sleepable) put_piece_waiting(slot, address, length, message);
    else put_piece_at_once(slot, address, length, message);
    return 0;
}
static long gather_one_waiting(__u32 index, void *slot) { return gather_one(*(__u32 *)slot, 1); }
static long gather_one_at_once(__u32 index, void *slot) { return gather_one(*(__u32 *)slot, 0); }

enum { MOST_MESSAGES = 1024, MOST_STEPS = 2048 }; /* UIO_MAXIOV; it and as many pieces */

static __always_inline void gather(__u32 slot, const int sleepable)
{
    if (sleepable) bpf_loop(MOST_STEPS, gather_one_waiting, &slot, 0);
    else bpf_loop(MOST_STEPS, gather_one_at_once, &slot, 0);
}
