/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The data that a call is about to send: its messages, each in pieces anywhere in memory (scatter-gather). */
#pragma once

#include "scratch.h"

/* Reads at most a page; whether that failed. A function of its own, so that the compiler moves nothing between the check of the length
 * and the read that the verifier allows by it. */
static __attribute__((noinline)) int read_user(__u8 *to, __u64 length, __u64 from)
{
    barrier_var(length);
    return length > PAGE_SIZE || bpf_probe_read_user(to, length, (void *)from);
}

/* Notes that the page of an address has to be waited for. */
static __always_inline void note_missing(struct scratch *scratch, __u64 address)
{
    __u32 index = scratch->missing_count;
    barrier_var(index);
    if (index >= MAX_MISSING) return;
    scratch->missing[index] = address;
    scratch->missing_count = index + 1;
}

/* Copies user memory to an offset in a buffer of EPITOPE_CODE_BYTES, page by page, so that what precedes a missing page is copied. The
 * number of bytes copied. */
static __always_inline __u32 copy_pages(struct scratch *scratch, __u8 *to, __u64 offset, __u64 from, __u64 wanted)
{
    __u64 done = 0;
    #pragma unroll
    for (int page = 0; page < 3; page++) {
        __u64 length = PAGE_SIZE - ((from + done) & (PAGE_SIZE - 1)), place = offset + done;
        if (done >= wanted) break;
        if (length > wanted - done) length = wanted - done;
        barrier_var(place);
        if (place >= EPITOPE_CODE_BYTES) break; /* never true: for the verifier */
        if (read_user(to + place, length, from + done)) {
            note_missing(scratch, from + done);
            break;
        }
        done += length;
    }
    return done;
}

/* Adds a piece to the event's list, and its bytes to the payload, as far as there is room. When the list is full, its last entry is for the
 * piece that contains the caller's address. */
__attribute__((noinline)) int add_piece(__u32 slot, __u64 address, __u64 length, __u32 message)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct epitope_event *event = &scratch->event;
    event->payload_length += length;
    if (!length) return 0;
    __u64 caller = event->callers_address, index = event->piece_count;
    if (index >= EPITOPE_MAX_PIECES) {
        if (caller <= address || caller - address > length) return 0;
        index = EPITOPE_MAX_PIECES - 1;
    } else {
        event->piece_count = index + 1;
    }
    __u64 place = scratch->message_cursor.used, wanted = length;
    if (place > EPITOPE_PAYLOAD_BYTES) return 0;
    if (wanted > EPITOPE_PAYLOAD_BYTES - place) wanted = EPITOPE_PAYLOAD_BYTES - place;
    __u32 copied = copy_pages(scratch, event->payload, place, address, wanted);
    barrier_var(index);
    if (index >= EPITOPE_MAX_PIECES) return 0;
    struct epitope_piece *piece = &event->pieces[index];
    piece->address = address;
    piece->length = length;
    piece->payload_offset = place;
    piece->copied_length = copied;
    piece->message = message;
    scratch->message_cursor.used = place + copied;
    return 0;
}

static __always_inline __u64 user_word(__u64 address, int is_32bit)
{
    __u64 word = 0;
    bpf_probe_read_user(&word, is_32bit ? 4 : 8, (void *)address);
    return word;
}

/* Reads one piece, or goes on to the next message. 1 ends the loop. */
static long read_next_piece(__u32 step, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 1;
    struct message_cursor *cursor = &scratch->message_cursor;
    __u32 size = cursor->is_32bit ? 4 : 8;
    if (cursor->piece >= cursor->piece_count) {
        if (cursor->message >= cursor->message_count) return 1;
        /* struct msghdr: name, its length, pieces, their number. In a list, each is followed by a length. */
        __u64 header = cursor->messages + (__u64)cursor->message * (cursor->is_32bit ? 32 : 64);
        cursor->message++;
        cursor->piece = 0;
        cursor->pieces = user_word(header + 2 * size, cursor->is_32bit);
        cursor->piece_count = user_word(header + 3 * size, cursor->is_32bit);
        return 0;
    }
    __u64 piece = cursor->pieces + (__u64)cursor->piece * 2 * size;
    cursor->piece++;
    __u64 address = user_word(piece, cursor->is_32bit), length = user_word(piece + size, cursor->is_32bit);
    add_piece(slot, address, length, cursor->message - 1);
    return 0;
}

enum { MAX_MESSAGES = UIO_MAXIOV, MAX_PIECE_STEPS = 2 * UIO_MAXIOV }; /* as many pieces as messages */

static __always_inline void read_messages(__u32 slot)
{
    bpf_loop(MAX_PIECE_STEPS, read_next_piece, &slot, 0);
}
