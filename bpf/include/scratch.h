/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Scratch space of one inspection: more than the stack holds. */
#pragma once

#include "mapping.h"

/* Mappings that an inspection looks up. */
enum { LIBRARY_MAPPING, CALLER_MAPPING, WORD_MAPPING, MAPPING_COUNT = 4 };

/* A walk up a stack. */
struct walk {
    __u64 stack_pointer, frame_pointer;  /* frame_pointer: 0 where it isn't known */
    __u64 library_inode, library_start, caller, deeper;
    __u64 slot;                          /* where the caller's address stands on the stack; 0: not known exactly */
    __u64 slot_behind;                   /* the same of the address that the caller returns to */
    __u64 target;                        /* the function whose jumps are looked at */
    __u32 library_device, has_library, words, is_32bit, wants_deeper, busy, found_caller;
    __u32 function;                      /* the library's function that returns, as an offset in its file; 0: not known */
    __u32 is_pointed_at;                 /* that function can be reached by a jump through a register or memory */
    __u32 defect;                        /* enum epitope_defect, of the caller's address */
    __u32 passes_on;                     /* the caller is an image's call through a register: it may be passing on a call; 2: where
                                          * that function was called can't be told */
    __u32 has_code;                      /* a word was seen that lies in executable memory */
    __u32 jumps;                         /* the target jumps to the library's function */
    __u32 call_number;                   /* of the system call */
    __u32 knows_frame;                   /* of the image's function that made a call which can't be checked, as far as it can be */
    __u32 is_recorded;                   /* the caller was recorded when it started the thread, or submitted the request */
    __u32 is_unpacked;                   /* code that a packed program unpacked is the caller, or made the call itself */
};

/* The position in the messages that a call sends (send_buffer.h), kept between the turns of a loop. */
struct message_cursor {
    __u64 messages, pieces;              /* where the headers, and the pieces of the current message, are */
    __u32 message, message_count, piece, piece_count, is_32bit, used;
};

/* What a security hook was called with, in the kernel's memory; all 0 outside of a hook. */
struct hook_arguments {
    __u64 socket, address, address_length;
};

/* The position on the way from a file up to the root of its mounts (running_program.h). */
struct path_cursor {
    __u64 dentry, mount;
    __u32 used, is_whole, is_of_region, unused;
};

/* Pages that an inspection notes as missing: the code's, and the first ones of the data. */
enum { MAX_MISSING = 8 };

/* Taken for as long as an inspection lasts, which waits for nothing: places are few, and all processes share them. A page that has to
 * be waited for is waited for between two inspections (decision.h, `handle_call`). */
struct scratch {
    __u32 taken, is_io_uring;            /* is_io_uring: an io_uring request, not the thread's own system call */
    __u64 code_place;                    /* the address that code was extracted around */
    __u64 code_hash, code_hash_near_caller; /* of that code (reports.h) */
    __u32 has_32bit_layout, missing_count; /* structures that the call's arguments point to; pages of `missing` */
    __u64 missing[MAX_MISSING];          /* addresses that were to be copied, and whose pages weren't in memory */
    struct epitope_asked asked;
    struct hook_arguments hook_arguments;
    struct message_cursor message_cursor;
    struct path_cursor path_cursor;
    struct walk walk;
    struct mapping mappings[MAPPING_COUNT];
    __u64 words[EPITOPE_STACK_WORDS];
    struct epitope_event event;
    __u8 verifier_padding[PAGE_SIZE];    /* never written: the verifier wants room behind any page that is copied */
};

enum { SCRATCH_COUNT = 64, SCRATCHES_PER_PROCESSOR = 8 };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SCRATCH_COUNT);
    __type(key, __u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

/* 0: none is free. Functions that are not static name their scratch space by its slot. */
static __always_inline struct scratch *take_scratch(__u32 *slot)
{
    __u32 first = bpf_get_smp_processor_id();
    for (__u32 try = 0; try < SCRATCHES_PER_PROCESSOR; try++) {
        __u32 index = (first * SCRATCHES_PER_PROCESSOR + try) % SCRATCH_COUNT;
        struct scratch *scratch = bpf_map_lookup_elem(&scratches, &index);
        if (scratch && __sync_val_compare_and_swap(&scratch->taken, 0, 1) == 0) {
            *slot = index;
            return scratch;
        }
    }
    count(EPITOPE_COUNT_NO_ROOM);
    return 0;
}

static __always_inline void release_scratch(struct scratch *scratch)
{
    __sync_lock_test_and_set(&scratch->taken, 0);
}

static __always_inline void copy_region(struct epitope_region *region, const struct mapping *mapping)
{
    region->start = mapping->start;
    region->end = mapping->end;
    region->inode = mapping->inode;
    region->device = mapping->device;
    region->protection = mapping->protection;
    region->backing = mapping->backing;
    region->may_be_written = mapping->may_be_written;
    region->is_loader = mapping->is_loader;
    region->generation = mapping->generation;
    region->is_unpacked = mapping->is_unpacked;
    region->answer = mapping->answer;
}
