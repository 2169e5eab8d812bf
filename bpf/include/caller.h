/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who called: the code that entered the kernel or, if that is a library, the code that the library returns to. */
#pragma once

#include "mapping_lookup.h"
#include "scratch.h"

/* The distance from the stack pointer to the end of the frame at a site, from the library's unwind tables; the agent fills it for the C
 * libraries. A site that is missing has no such frame, or isn't known. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_SITES);
    __type(key, struct epitope_site);
    __type(value, __u32);
} frames SEC(".maps");

enum { MAX_FRAMES = 16 };

/* Functions that are not static are verified once each, which keeps the verifier's work small. */

/* Looks up the mapping of an address, the last byte of a calling instruction, and stores it as one of the scratch space's mappings.
 * 0 or -EBUSY. */
__attribute__((noinline)) int inspect_address(__u64 address, __u32 slot, __u32 index)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    struct mapping_lookup lookup;
    if (!scratch) return -EBUSY;
    struct task_struct *task = bpf_get_current_task_btf();
    if (find_mapping(task, address, scratch->walk.stack_pointer, &lookup)) return -EBUSY;
    if (lookup.mapping.protection & VM_EXEC) resolve_written(address + 1, &lookup.mapping);
    scratch->mappings[index & (MAPPING_COUNT - 1)] = lookup.mapping;
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

static __always_inline int is_user_address(__u64 word)
{
    return word > MIN_USER_ADDRESS && word < USER_ADDRESS_END;
}

/* Whether code at a return address can be a caller: not the loader, which resolves symbols on a library's behalf; not the vdso, which a
 * signal's frame returns to; and behind a call instruction: a return address that a jump into the library left isn't believed. */
static __always_inline int can_be_caller(const struct mapping *mapping, __u64 address)
{
    return !mapping->is_loader && !is_vdso(mapping) && follows_call(address, mapping->start);
}

static __always_inline int is_library(const struct walk *walk, const struct mapping *mapping)
{
    return walk->has_library && mapping->inode == walk->library_inode && mapping->device == walk->library_device &&
        (mapping->inode || mapping->start == walk->library_start);
}

static __always_inline void set_library(struct walk *walk, const struct mapping *mapping)
{
    walk->library_inode = mapping->inode;
    walk->library_device = mapping->device;
    walk->library_start = mapping->start;
}

/* Checks one word of the stack. 1 ends the walk. */
static long check_stack_word(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || index >= scratch->walk.words) return 1;
    struct walk *walk = &scratch->walk;
    __u64 word = scratch->words[(walk->is_32bit ? index / 2 : index) & (EPITOPE_STACK_WORDS - 1)];
    if (walk->is_32bit) word = index & 1 ? word >> 32 : word & 0xffffffff;
    if (!is_user_address(word)) return 0;
    if (inspect_address(word - 1, slot, WORD_MAPPING)) {
        walk->busy = 1;
        return 1;
    }
    struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
    if (!(mapping->protection & VM_EXEC)) return 0;
    if (is_library(walk, mapping) || !can_be_caller(mapping, word)) return 0;
    if (!walk->has_library && !is_unbacked(mapping)) {
        /* This library called the vdso. */
        walk->has_library = 1;
        set_library(walk, mapping);
        return 0;
    }
    if (!walk->found_caller) {
        walk->found_caller = 1;
        walk->caller = word;
        scratch->mappings[CALLER_MAPPING] = *mapping;
        return !walk->wants_deeper || is_unbacked(mapping);
    }
    if (!is_unbacked(mapping)) return 0;
    walk->deeper = word;
    scratch->mappings[CALLER_MAPPING] = *mapping;
    return 1;
}

/* Walks up exactly, frame by frame, as long as the library's frame sizes are known. 1: the caller was found. 0: the words from `from`
 * on have to be searched. Negative: the address space is busy. */
static __always_inline int walk_frames(struct walk *walk, struct scratch *scratch, __u32 slot, __u64 pointer, __u64 *from)
{
    __u64 start = scratch->mappings[LIBRARY_MAPPING].start, offset = scratch->mappings[LIBRARY_MAPPING].offset;
    for (int depth = 0; depth < MAX_FRAMES; depth++) {
        struct epitope_site site = {walk->library_inode, offset + (pointer - 1 - start), walk->library_device, 0};
        __u32 *size = bpf_map_lookup_elem(&frames, &site);
        __u64 word = 0;
        if (!size || bpf_probe_read_user(&word, 8, (void *)(*from + *size - 8))) return 0;
        if (!is_user_address(word)) return 0;
        if (inspect_address(word - 1, slot, WORD_MAPPING)) return -EBUSY;
        struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
        if (!(mapping->protection & VM_EXEC)) return 0;
        if (mapping->inode != walk->library_inode || mapping->device != walk->library_device) {
            if (!can_be_caller(mapping, word)) return 0;
            walk->found_caller = 1;
            walk->caller = word;
            scratch->mappings[CALLER_MAPPING] = *mapping;
            *from += *size;
            return 1;
        }
        *from += *size;
        pointer = word;
        start = mapping->start;
        offset = mapping->offset;
    }
    return 0;
}

/* Walks the stack at `walk.stack_pointer`, past the frames of the library in LIBRARY_MAPPING, which contains `pointer`. 0, or negative
 * when its words can't be read or the address space is busy. */
__attribute__((noinline)) int walk_stack(__u32 slot, __u64 pointer)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return -EBUSY;
    struct walk *walk = &scratch->walk;
    struct mapping *library = &scratch->mappings[LIBRARY_MAPPING];
    walk->has_library = library->backing != EPITOPE_BACKING_KERNEL;
    set_library(walk, library);

    __u64 from = walk->stack_pointer;
    if (!walk->is_32bit && walk->has_library) {
        int found = walk_frames(walk, scratch, slot, pointer, &from);
        if (found < 0) return found;
        if (found && (is_unbacked(&scratch->mappings[CALLER_MAPPING]) || !walk->wants_deeper)) return 0;
    }
    __u64 bytes = sizeof scratch->words;
    if (bpf_probe_read_user(scratch->words, sizeof scratch->words, (void *)from)) {
        /* The stack ends before: read to the end of its page. */
        bytes = PAGE_SIZE - (from & (PAGE_SIZE - 1));
        barrier_var(bytes);
        if (bytes > PAGE_SIZE || bpf_probe_read_user(scratch->words, bytes, (void *)from)) return -EBUSY;
    }
    walk->words = bytes / (walk->is_32bit ? 4 : 8);
    bpf_loop(walk->words, check_stack_word, &slot, 0);
    return walk->busy ? -EBUSY : 0;
}
