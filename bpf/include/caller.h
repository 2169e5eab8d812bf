/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who called: the instruction that entered the kernel, else the code that its library will return to. */
#pragma once

#include "memory.h"

/* Which mapping of an inspection is meant. */
enum { SEEN_LIBRARY, SEEN_CALLER, SEEN_WORD, SEEN_COUNT = 4 };

/* A walk up a stack. */
struct walk {
    __u64 stack_pointer;
    __u64 library_inode, library_start, caller, deeper;
    __u32 library_device, has_library, words, narrow, wants_deeper, busy, found_caller;
};

/* Where the gathering of what is sent stands (payload.h): its steps are the turns of a loop. */
struct gathering {
    __u64 messages, pieces;              /* where the headers, and the pieces of the message at hand, lie */
    __u32 message, message_count, piece, piece_count, narrow, used;
};

/* What a security hook was asked about, in the kernel's memory; all 0 where nothing was. */
struct asked {
    __u64 socket, address, address_length;
};

/* Scratch space of one inspection: more than the stack holds. Taken for as long as the inspection lasts, which may sleep. */
struct scratch {
    __u32 taken, ring_borne;             /* ring_borne: a ring's request, made by nobody's call */
    struct asked asked;
    struct gathering gathering;
    struct walk walk;
    struct seen seen[SEEN_COUNT];
    __u64 words[EPITOPE_STACK_WORDS];
    struct epitope_event event;
    __u8 never_written[4096];            /* so that the verifier sees room behind any page that is copied */
};

enum { SCRATCHES = 64 };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SCRATCHES);
    __type(key, __u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

/* The distance from the stack pointer to the end of the frame at a site, from the library's unwind tables; the agent
 * fills it for the C libraries. A site that is missing has no such frame, or isn't known. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_SITES);
    __type(key, struct epitope_site);
    __type(value, __u32);
} frames SEC(".maps");

/* The functions below that are not static are verified once each, which keeps the verifier's work small. They name their
 * scratch space by its slot. */

/* Looks at the last byte of a calling instruction, for one place of the inspection. 0 or -EBUSY. */
__attribute__((noinline)) int see(__u64 address, __u32 slot, __u32 place)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    struct look_up up;
    if (!scratch) return -ERROR_BUSY;
    struct task_struct *task = bpf_get_current_task_btf();
    if (see_now(task, address, scratch->walk.stack_pointer, &up)) return -ERROR_BUSY;
    if (up.seen.protection & FLAG_EXECUTE) settle_written(address + 1, &up.seen);
    scratch->seen[place & (SEEN_COUNT - 1)] = up.seen;
    return 0;
}

/* Whether the bytes before a return address can end with a call instruction: call rel32, or call r/m (FF /2) of the
 * length that its ModRM byte implies. `bytes` are the eight before it. */
static __always_inline int ends_with_call(const __u8 *bytes)
{
    if (bytes[3] == 0xe8) return 1;
    if (bytes[6] == 0xff && (bytes[7] & 0xf8) == 0xd0) return 1;                       /* register */
    if (bytes[6] == 0xff && (bytes[7] & 0xf8) == 0x10 && (bytes[7] & 7) != 4 && (bytes[7] & 7) != 5) return 1;
    if (bytes[5] == 0xff && (bytes[6] & 0xf8) == 0x50 && (bytes[6] & 7) != 4) return 1; /* 8-bit displacement */
    if (bytes[5] == 0xff && bytes[6] == 0x14 && (bytes[7] & 7) != 5) return 1;          /* SIB */
    if (bytes[4] == 0xff && bytes[5] == 0x54) return 1;                                /* SIB, 8-bit displacement */
    if (bytes[2] == 0xff && (bytes[3] & 0xf8) == 0x90 && (bytes[3] & 7) != 4) return 1; /* 32-bit displacement */
    if (bytes[2] == 0xff && bytes[3] == 0x15) return 1;                                /* relative, or absolute */
    if (bytes[1] == 0xff && bytes[2] == 0x94) return 1;                                /* SIB, 32-bit displacement */
    return bytes[1] == 0xff && bytes[2] == 0x14 && (bytes[3] & 7) == 5;
}

__attribute__((noinline)) int follows_call(__u64 address, __u64 start)
{
    __u8 bytes[8] = {};
    if (!bpf_probe_read_user(bytes, 8, (void *)(address - 8))) return ends_with_call(bytes);
    /* The mapping may begin less than eight bytes before. */
    if (address >= start + 5 && !bpf_probe_read_user(bytes + 3, 5, (void *)(address - 5))) return ends_with_call(bytes);
    bytes[3] = 0;
    if (address >= start + 2 && !bpf_probe_read_user(bytes + 6, 2, (void *)(address - 2))) return ends_with_call(bytes);
    return 0;
}

/* The vdso as the kernel made it. */
static __always_inline int is_kernels_own(const struct seen *at)
{
    return at->backing == EPITOPE_BACKING_KERNEL && !at->may_be_written;
}

/* One word of the stack. 1 ends the walk. */
static long step(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || index >= scratch->walk.words) return 1;
    struct walk *walk = &scratch->walk;
    __u64 word = scratch->words[(walk->narrow ? index / 2 : index) & (EPITOPE_STACK_WORDS - 1)];
    if (walk->narrow) word = index & 1 ? word >> 32 : word & 0xffffffff;
    if (word <= 0x1000 || word >= 0x7ffffffff000) return 0;
    if (see(word - 1, slot, SEEN_WORD)) {
        walk->busy = 1;
        return 1;
    }
    struct seen *at = &scratch->seen[SEEN_WORD];
    if (!(at->protection & FLAG_EXECUTE)) return 0;
    if (walk->has_library && at->inode == walk->library_inode && at->device == walk->library_device &&
        (at->inode || at->start == walk->library_start))
        return 0;
    if (at->is_loader || is_kernels_own(at) || !follows_call(word, at->start)) return 0;
    if (!walk->has_library && !is_unbacked(at)) {
        /* The kernel's page was called by this one. */
        walk->has_library = 1;
        walk->library_inode = at->inode;
        walk->library_device = at->device;
        walk->library_start = at->start;
        return 0;
    }
    if (!walk->found_caller) {
        walk->found_caller = 1;
        walk->caller = word;
        scratch->seen[SEEN_CALLER] = *at;
        return !walk->wants_deeper || is_unbacked(at);
    }
    if (!is_unbacked(at)) return 0;
    walk->deeper = word;
    scratch->seen[SEEN_CALLER] = *at;
    return 1;
}

/* Steps up exactly, frame by frame, as long as the library's frames are known. 1: the caller was found. 0: `from` is how
 * far it came, and the words from there have to be looked through. Negative: the address space is busy. */
static __always_inline int walk_frames(struct walk *walk, struct scratch *scratch, __u32 slot, __u64 pointer, __u64 *from)
{
    __u64 start = scratch->seen[SEEN_LIBRARY].start, offset = scratch->seen[SEEN_LIBRARY].offset;
    for (int depth = 0; depth < 16; depth++) {
        struct epitope_site site = {walk->library_inode, offset + (pointer - 1 - start), walk->library_device, 0};
        __u32 *size = bpf_map_lookup_elem(&frames, &site);
        __u64 word = 0;
        if (!size || bpf_probe_read_user(&word, 8, (void *)(*from + *size - 8))) return 0;
        if (word <= 0x1000 || word >= 0x7ffffffff000) return 0;
        if (see(word - 1, slot, SEEN_WORD)) return -ERROR_BUSY;
        struct seen *at = &scratch->seen[SEEN_WORD];
        if (!(at->protection & FLAG_EXECUTE)) return 0;
        if (at->inode != walk->library_inode || at->device != walk->library_device) {
            /* Code that went into the library by a jump, with a return address of its choice, isn't believed. The kernel's
             * page: a signal's frame, whose handler the library's function is. */
            if (at->is_loader || is_kernels_own(at) || !follows_call(word, at->start)) return 0;
            walk->found_caller = 1;
            walk->caller = word;
            scratch->seen[SEEN_CALLER] = *at;
            *from += *size;
            return 1;
        }
        *from += *size;
        pointer = word;
        start = at->start;
        offset = at->offset;
    }
    return 0;
}

/* Walks the stack that `walk.stack_pointer` is of, past the frames of the library in SEEN_LIBRARY, which `pointer` lies in. 0, or negative when
 * its words can't be read or the address space is busy. */
__attribute__((noinline)) int walk_stack(__u32 slot, __u64 pointer)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return -ERROR_BUSY;
    struct walk *walk = &scratch->walk;
    struct seen *library = &scratch->seen[SEEN_LIBRARY];
    walk->has_library = library->backing != EPITOPE_BACKING_KERNEL;
    walk->library_inode = library->inode;
    walk->library_device = library->device;
    walk->library_start = library->start;

    __u64 from = walk->stack_pointer;
    if (!walk->narrow && walk->has_library) {
        int found = walk_frames(walk, scratch, slot, pointer, &from);
        if (found < 0) return found;
        if (found && (is_unbacked(&scratch->seen[SEEN_CALLER]) || !walk->wants_deeper)) return 0;
    }
    __u64 bytes = sizeof scratch->words;
    if (bpf_probe_read_user(scratch->words, sizeof scratch->words, (void *)from)) {
        /* The stack ends before: to the end of its page. */
        bytes = 4096 - (from & 4095);
        FORGET(bytes);
        if (bytes > 4096 || bpf_probe_read_user(scratch->words, bytes, (void *)from)) return -ERROR_BUSY;
    }
    walk->words = bytes / (walk->narrow ? 4 : 8);
    bpf_loop(walk->words, step, &slot, 0);
    return walk->busy ? -ERROR_BUSY : 0;
}
