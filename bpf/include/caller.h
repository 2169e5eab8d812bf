/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who called: the code that entered the kernel or, if that is a library, the code that the library returns to. */
#pragma once

#include "mapping_lookup.h"
#include "questions.h"
#include "return_check.h"

/* The frame at each site of the C libraries; the agent fills it. A site that is missing has a frame of another kind, or isn't known. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_SITES);
    __type(key, struct epitope_site);
    __type(value, struct epitope_frame);
} frames SEC(".maps");

enum { MAX_PASSING_WORDS = 64 };         /* of an image's function that may only pass a call on */
enum { MAX_FRAMES = 16, MAX_FRAME_BYTES = 8 << 20, MAX_MAPPINGS_OF_IMAGE = 4 };

/* What a program or a library begins with: ELF's four bytes, or the two of a Windows program (.NET's compiled code). */
#define ELF_MAGIC 0x464c457fu
#define PE_MAGIC 0x5a4du

/* Functions that are not static are verified once each, which keeps the verifier's work small. */

/* Whether one of the scratch space's mappings belongs to a program or library that was loaded as a whole: the first of its file's
 * mappings, which lie below it without a gap, begins with the file, and that is such a one. */
__attribute__((noinline)) int is_loaded_image(__u32 slot, __u32 index)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    const struct mapping *mapping = &scratch->mappings[index & (MAPPING_COUNT - 1)];
    __u64 start = mapping->start, offset = mapping->offset;
    __u32 magic = 0;
    struct mapping_lookup lookup;
    for (int step = 0; step < MAX_MAPPINGS_OF_IMAGE && offset; step++) {
        if (find_mapping(bpf_get_current_task_btf(), start - 1, 0, &lookup)) return 0;
        if (lookup.mapping.inode != mapping->inode || lookup.mapping.device != mapping->device) return 0;
        start = lookup.mapping.start;
        offset = lookup.mapping.offset;
    }
    /* A page that isn't in memory is one of a loader's, which reads the header from the file. */
    if (offset || bpf_probe_read_user(&magic, sizeof magic, (void *)start)) return !offset;
    return magic == ELF_MAGIC || (magic & 0xffff) == PE_MAGIC;
}

/* Decides what backs one of the scratch space's mappings of an image, whose file may only seem to. Returns enum file_origin where its
 * content has to decide. */
__attribute__((noinline)) int decide_by_file(__u32 slot, __u32 index)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct mapping *mapping = &scratch->mappings[index & (MAPPING_COUNT - 1)];
    struct inode *inode = (struct inode *)mapping->stack_pointer_or_inode;
    /* A copy that was sealed is a memory file whose descriptor may still be open for writing. */
    if (!inode || !is_changeable(inode) || is_memory_file(inode)) return 0;
    __u32 origin = origin_of_file(inode, mapping->is_nameless);
    mapping->generation = BPF_CORE_READ(inode, i_generation);
    if (!is_open_for_writing(inode) && origin != FILE_WITHOUT_NAME) return origin;
    mapping->backing = EPITOPE_BACKING_WRITTEN_FILE;
    return 0;
}

/* Looks up the mapping of an address, the last byte of a calling instruction, and stores it as one of the scratch space's mappings.
 * 0 or -EBUSY. */
__attribute__((noinline)) int look_up_address(__u64 address, __u32 slot, __u32 index)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    struct mapping_lookup lookup;
    if (!scratch) return -EBUSY;
    if (find_mapping(bpf_get_current_task_btf(), address, scratch->walk.stack_pointer, &lookup)) return -EBUSY;
    if (lookup.mapping.protection & VM_EXEC) resolve_written(address + 1, &lookup.mapping);
    scratch->mappings[index & (MAPPING_COUNT - 1)] = lookup.mapping;
    if (is_comparable(&lookup.mapping, address)) apply_answer(address + 1, slot, index);
    return 0;
}

/* The same, and what backs it. Functions in a row, not one in the other: the verifier adds up the stacks of a call path. */
static __always_inline int inspect_address(struct scratch *scratch, __u64 address, __u32 slot, const __u32 index)
{
    if (look_up_address(address, slot, index)) return -EBUSY;
    struct mapping *mapping = &scratch->mappings[index];
    if (mapping->backing != EPITOPE_BACKING_IMAGE || !(mapping->protection & VM_EXEC)) return 0;
    int origin = decide_by_file(slot, index);
    if (origin && !is_loaded_image(slot, index)) mapping->backing = EPITOPE_BACKING_WRITTEN_FILE;
    else if (origin == UNLINKED_NEW) mapping->backing = EPITOPE_BACKING_MEMORY_FILE;
    if (is_unbacked(mapping)) mapping->may_be_written = 0;
    return 0;
}

static __always_inline int is_user_address(__u64 word)
{
    return word > MIN_USER_ADDRESS && word < USER_ADDRESS_END;
}

/* Whether code in an image can be a caller: not the loader, which resolves symbols on a library's behalf; not the vdso, which a
 * signal's frame returns to. */
static __always_inline int can_be_caller(const struct mapping *mapping)
{
    return !mapping->is_loader && !is_vdso(mapping);
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

/* Whether a word in executable memory is taken for the one that the library returns to. In an image a call must stand before it. In
 * unbacked memory, too, since just-in-time compilers leave addresses of their code lying about; but not of the innermost word, nor in
 * 32-bit code, whose frames aren't known. */
static __always_inline int is_return_address(const struct walk *walk, const struct mapping *mapping, __u64 word)
{
    if (is_unbacked(mapping) && !walk->found_caller && (walk->is_32bit || !walk->has_code)) return 1;
    return can_be_caller(mapping) && follows_call(word, mapping->start, mapping->is_explained);
}

/* Whether what the caller returns to counts, too. What a packed program unpacked may be a library of its own, which other code calls. */
static __always_inline int looks_deeper(const struct walk *walk)
{
    return walk->wants_deeper || walk->is_unpacked;
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
    if (inspect_address(scratch, word - 1, slot, WORD_MAPPING)) {
        walk->busy = 1;
        return 1;
    }
    struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
    if (!(mapping->protection & VM_EXEC)) return 0;
    int is_address = !is_library(walk, mapping) && is_return_address(walk, mapping, word);
    walk->has_code = 1;
    if (!is_address) return 0;
    if (!walk->has_library && !is_unbacked(mapping)) {
        /* This library called the vdso. */
        walk->has_library = 1;
        set_library(walk, mapping);
        return 0;
    }
    if (!walk->found_caller) {
        walk->found_caller = 1;
        walk->caller = word;
        walk->is_unpacked |= mapping->is_unpacked;
        scratch->mappings[CALLER_MAPPING] = *mapping;
        return !looks_deeper(walk) || is_unbacked(mapping);
    }
    if (!is_unbacked(mapping)) {
        /* The first one that shows where the image's function was called, so that the call that can't be checked is its own. A call of
         * another function is a stale word, in an unused place of its frame. */
        int enters = walk->passes_on == 1 ? may_enter_function(slot, word, walk->caller) : 0;
        if (enters) walk->passes_on = 2;
        if (enters > 0) {
            walk->passes_on = 0;
            walk->defect = EPITOPE_DEFECT_NONE;
        }
        if (walk->passes_on && index < MAX_PASSING_WORDS) return 0;
        walk->passes_on = 0;
        return !looks_deeper(walk);
    }
    if (walk->passes_on) {
        walk->caller = word;
        walk->slot = 0;
        walk->defect = EPITOPE_DEFECT_NONE;
    } else {
        walk->deeper = word;
    }
    scratch->mappings[CALLER_MAPPING] = *mapping;
    return 1;
}

/* Where a frame ends; 0 where that makes no sense. */
static __always_inline __u64 end_of(const struct epitope_frame *frame, const struct walk *walk, __u64 from)
{
    if (frame->is_from_frame_pointer && !walk->frame_pointer) return 0;
    __u64 end = (frame->is_from_frame_pointer ? walk->frame_pointer : from) + frame->size;
    return end <= from || end - from > MAX_FRAME_BYTES ? 0 : end;
}

/* Where the frame ends at a site of the library; 0 where that isn't known. Keeps which function it is of, and the caller's frame
 * pointer. */
__attribute__((noinline)) __u64 end_of_frame(__u32 slot, __u64 site_offset, __u64 pointer, __u64 from, int is_innermost)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct walk *walk = &scratch->walk;
    struct epitope_site site = {walk->library_inode, site_offset, walk->library_device, 0};
    struct epitope_frame *frame = bpf_map_lookup_elem(&frames, &site);
    walk->function = 0;
    if (!frame) {
        /* A system call right before `ret`, wherever it is. */
        __u8 next = 0;
        return is_innermost && !bpf_probe_read_user(&next, 1, (void *)pointer) && next == 0xc3 ? from + 8 : 0;
    }
    __u64 end = end_of(frame, walk, from);
    if (!end) return 0;
    walk->function = frame->function;
    /* Code that jumps to the instruction itself may bring a number of its own. */
    if (is_innermost && frame->call_number != EPITOPE_ANY_CALL && frame->call_number != walk->call_number &&
        walk->call_number != NR64_RESTART_SYSCALL)
        walk->defect = EPITOPE_DEFECT_OTHER_CALL;
    walk->is_pointed_at = frame->is_pointed_at;
    if (frame->frame_pointer_is_lost) walk->frame_pointer = 0;
    else if (frame->saved && bpf_probe_read_user(&walk->frame_pointer, 8, (void *)(end - frame->saved))) walk->frame_pointer = 0;
    return end;
}

/* Takes a word as the caller's address. What was wrong further down stays wrong, unless the caller is in unbacked memory. */
static __always_inline int found_caller(struct walk *walk, struct scratch *scratch, __u64 word, __u32 defect)
{
    walk->found_caller = 1;
    walk->caller = word;
    if (!is_impossible(walk->defect)) walk->defect = defect;
    walk->is_unpacked |= scratch->mappings[WORD_MAPPING].is_unpacked;
    scratch->mappings[CALLER_MAPPING] = scratch->mappings[WORD_MAPPING];
    return 1;
}

/* What is wrong with a return address in the library itself. It calls its own functions through registers and tables, too, but only those
 * whose address it takes; another one was named by somebody else (`qsort` with `execv`). */
static __always_inline __u32 defect_within_library(const struct walk *walk, __u32 defect)
{
    if (defect == EPITOPE_DEFECT_INDIRECT && walk->function && !walk->is_pointed_at) return EPITOPE_DEFECT_OTHER_FUNCTION;
    return is_impossible(defect) ? defect : EPITOPE_DEFECT_NONE;
}

/* Walks up exactly, frame by frame, as long as the library's frames are known. 1: the caller was found. 0: the words from `from` on
 * have to be searched. Negative: the address space is busy. */
static __always_inline int walk_frames(struct walk *walk, struct scratch *scratch, __u32 slot, __u64 pointer, __u64 *from)
{
    __u64 start = scratch->mappings[LIBRARY_MAPPING].start, offset = scratch->mappings[LIBRARY_MAPPING].offset;
    struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
    for (int depth = 0; depth < MAX_FRAMES; depth++) {
        __u64 word = 0, end = end_of_frame(slot, offset + (pointer - 1 - start), pointer, *from, depth == 0);
        if (!end || bpf_probe_read_user(&word, 8, (void *)(end - 8))) return 0;
        *from = end;
        walk->slot = end - 8;
        __builtin_memset(mapping, 0, sizeof *mapping);
        if (is_user_address(word) && inspect_address(scratch, word - 1, slot, WORD_MAPPING)) return -EBUSY;
        if (!(mapping->protection & VM_EXEC)) return found_caller(walk, scratch, word, EPITOPE_DEFECT_NO_CODE);
        if (is_unbacked(mapping)) return found_caller(walk, scratch, word, EPITOPE_DEFECT_NONE);
        __u32 defect = defect_of_return(slot, word, mapping->start, mapping->is_explained);
        int is_inner = mapping->inode == walk->library_inode && mapping->device == walk->library_device;
        if (defect == EPITOPE_DEFECT_NO_CALL || (!is_inner && can_be_caller(mapping))) return found_caller(walk, scratch, word, defect);
        if (!is_inner) return 0;
        if (!is_impossible(walk->defect)) walk->defect = defect_within_library(walk, defect);
        pointer = word;
        start = mapping->start;
        offset = mapping->offset;
    }
    return 0;
}

/* What the image's function returns to that made a call which can't be checked; 0 where that isn't known, since the agent hasn't said how
 * far its frame reaches (questions.h). Keeps where that stands. */
__attribute__((noinline)) __u64 word_behind_caller(__u32 slot, __u64 from)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || !scratch->mappings[CALLER_MAPPING].stack_pointer_or_inode) return 0;
    struct epitope_site site = site_of_caller(scratch);
    struct epitope_frame *frame = bpf_map_lookup_elem(&frames, &site);
    __u64 word = 0, end = frame ? end_of(frame, &scratch->walk, from) : 0;
    scratch->walk.knows_frame = frame != 0;
    if (!end || bpf_probe_read_user(&word, 8, (void *)(end - 8)) || !is_user_address(word)) return 0;
    scratch->walk.slot_behind = end - 8;
    return word;
}

/* Whether that word, whose mapping is in the scratch space, is the caller's address, or shows that the call is the image's own. */
__attribute__((noinline)) int is_settled_behind_caller(__u32 slot, __u64 word)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct walk *walk = &scratch->walk;
    struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
    if (!(mapping->protection & VM_EXEC)) return 0;
    if (!is_unbacked(mapping)) {
        if (!can_be_caller(mapping) || may_enter_function(slot, word, walk->caller) <= 0) return 0;
        walk->defect = EPITOPE_DEFECT_NONE;
        return 1;
    }
    walk->defect = EPITOPE_DEFECT_NONE;
    walk->slot = walk->slot_behind;
    walk->caller = word;
    walk->is_unpacked |= mapping->is_unpacked;
    scratch->mappings[CALLER_MAPPING] = *mapping;
    return 1;
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
        /* Where a call through a register can't be checked, what the image returns to counts, too: the image may only pass on. */
        int passes_on = walk->defect == EPITOPE_DEFECT_INDIRECT;
        if (found && (passes_on || walk->defect == EPITOPE_DEFECT_OTHER_IMAGE)) {
            __u64 word = word_behind_caller(slot, from);
            if (word && inspect_address(scratch, word - 1, slot, WORD_MAPPING)) return -EBUSY;
            if (word && is_settled_behind_caller(slot, word)) passes_on = 0;
        }
        if (found && (is_unbacked(&scratch->mappings[CALLER_MAPPING]) || (!looks_deeper(walk) && !passes_on))) return 0;
        if (!found) walk->slot = 0;
        walk->passes_on = found ? passes_on : 0;
    }
    __u64 bytes = sizeof scratch->words;
    if (bpf_probe_read_user(scratch->words, sizeof scratch->words, (void *)from)) {
        /* The stack ends before: read to the end of its page. */
        bytes = PAGE_SIZE - (from & (PAGE_SIZE - 1));
        barrier_var(bytes);
        /* Behind the last of the library's frames there may be nothing: a thread began there. */
        if (bytes > PAGE_SIZE || bpf_probe_read_user(scratch->words, bytes, (void *)from)) return from == walk->stack_pointer ? -EBUSY : 0;
    }
    walk->words = bytes / (walk->is_32bit ? 4 : 8);
    /* Behind frames that are known, no word is the innermost. */
    walk->has_code = from != walk->stack_pointer;
    bpf_loop(walk->words, check_stack_word, &slot, 0);
    return walk->busy ? -EBUSY : 0;
}
