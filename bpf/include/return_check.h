/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Whether the call before a return address in an image can have left it there: code that pushes an address of its choice and jumps
 * into a library, or returns into it, leaves one that no call of that function stands before.
 *
 * What a call reaches is read from the process's own memory, as the call itself would: `call rel32` reaches its target or, through a
 * stub of the linker's, what an import table's slot holds. A function may then jump to another one, which returns to the first one's
 * caller; within C libraries the agent says which ones do (`jumps`), in other images the function's code is searched. */
#pragma once

#include "scratch.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_JUMPS);
    __type(key, struct epitope_jump);
    __type(value, __u8);
} jumps SEC(".maps");

/* The instructions that may end at an address. x86 code can't be read backwards without ambiguity: more than one may fit. */
enum call_form {
    CALL_RELATIVE = 1,                   /* call rel32 */
    CALL_SLOT = 2,                       /* call through a slot at a distance from the instruction: an import table's */
    CALL_OTHER = 4,                      /* through a register, or other memory */
};

/* The forms that the bytes before a return address can end with; FF /2 of the length that its ModRM byte implies. `bytes` are the
 * eight before it. */
static __always_inline int call_forms(const __u8 *bytes)
{
    int forms = 0;
    if (bytes[3] == 0xe8) forms |= CALL_RELATIVE;
    if (bytes[2] == 0xff && bytes[3] == 0x15) forms |= CALL_SLOT;
    if ((bytes[6] == 0xff && (bytes[7] & 0xf8) == 0xd0) ||                              /* register */
        (bytes[6] == 0xff && (bytes[7] & 0xf8) == 0x10 && (bytes[7] & 7) != 4 && (bytes[7] & 7) != 5) ||
        (bytes[5] == 0xff && (bytes[6] & 0xf8) == 0x50 && (bytes[6] & 7) != 4) ||       /* 8-bit displacement */
        (bytes[5] == 0xff && bytes[6] == 0x14 && (bytes[7] & 7) != 5) ||                /* SIB */
        (bytes[4] == 0xff && bytes[5] == 0x54) ||                                       /* SIB, 8-bit displacement */
        (bytes[2] == 0xff && (bytes[3] & 0xf8) == 0x90 && (bytes[3] & 7) != 4) ||       /* 32-bit displacement */
        (bytes[1] == 0xff && bytes[2] == 0x94) ||                                       /* SIB, 32-bit displacement */
        (bytes[1] == 0xff && bytes[2] == 0x14 && (bytes[3] & 7) == 5))
        forms |= CALL_OTHER;
    return forms;
}

/* The same where a breakpoint may stand in the place of the instruction's first byte: an opcode E8 can only be the one of five bytes. */
static __always_inline int forms_behind_breakpoint(__u8 *bytes)
{
    for (int index = 1; index < 7; index++)
        if (bytes[index] == 0xcc) bytes[index] = index == 3 ? 0xe8 : 0xff;
    return call_forms(bytes);
}

/* Reads the bytes before a return address, and the forms of call among them. */
static __always_inline int read_call(__u8 *bytes, __u64 address, __u64 start, int has_breakpoints)
{
    if (bpf_probe_read_user(bytes, 8, (void *)(address - 8))) {
        /* The mapping may begin less than eight bytes before. */
        if (address < start + 5 || bpf_probe_read_user(bytes + 3, 5, (void *)(address - 5))) {
            bytes[3] = 0;
            if (address < start + 2 || bpf_probe_read_user(bytes + 6, 2, (void *)(address - 2))) return 0;
        }
    }
    int forms = call_forms(bytes);
    return forms || !has_breakpoints ? forms : forms_behind_breakpoint(bytes);
}

__attribute__((noinline)) int follows_call(__u64 address, __u64 start, int has_breakpoints)
{
    __u8 bytes[8] = {};
    return read_call(bytes, address, start, has_breakpoints) != 0;
}

static __always_inline __u64 after_displacement(__u64 next, const __u8 *bytes)
{
    return next + (__s32)(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (__u32)bytes[3] << 24);
}

static __always_inline __u64 read_slot(__u64 slot)
{
    __u64 function = 0;
    bpf_probe_read_user(&function, 8, (void *)slot);
    return function;
}

/* The function that a stub of the linker's jumps to, or 0: jmp *slot(%rip), behind endbr64 and a bnd prefix where there are such. */
__attribute__((noinline)) __u64 function_of_stub(__u64 address)
{
    __u8 bytes[16] = {};
    if (bpf_probe_read_user(bytes, sizeof bytes, (void *)address)) return 0;
    int has_landing = bytes[0] == 0xf3 && bytes[1] == 0x0f && bytes[2] == 0x1e && bytes[3] == 0xfa;
    if (!has_landing && bytes[0] == 0xff && bytes[1] == 0x25) return read_slot(after_displacement(address + 6, bytes + 2));
    if (has_landing && bytes[4] == 0xff && bytes[5] == 0x25) return read_slot(after_displacement(address + 10, bytes + 6));
    if (has_landing && bytes[4] == 0xf2 && bytes[5] == 0xff && bytes[6] == 0x25)
        return read_slot(after_displacement(address + 11, bytes + 7));
    return 0;
}

static __always_inline int is_in(const struct mapping *mapping, __u64 address)
{
    return mapping->start <= address && address < mapping->end;
}

static __always_inline int has_jump(const struct walk *walk, __u32 from, __u32 to)
{
    struct epitope_jump jump = {walk->library_inode, from, to, walk->library_device, 0};
    return bpf_map_lookup_elem(&jumps, &jump) != 0;
}

/* Whether a function of the library, entered at an address in it, is the one that returns, or jumps to it: enum epitope_defect. */
static __always_inline __u32 defect_of_entry(const struct walk *walk, const struct mapping *library, __u64 entry)
{
    __u32 offset = entry - library->start + library->offset;
    if (!walk->function || offset == walk->function || has_jump(walk, offset, walk->function)) return EPITOPE_DEFECT_NONE;
    return walk->is_pointed_at && has_jump(walk, offset, 0) ? EPITOPE_DEFECT_INDIRECT : EPITOPE_DEFECT_OTHER_FUNCTION;
}

/* One place in the code of a function in an image, which is in the scratch space's words: whether it jumps to the library's. */
static long look_for_jump(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || index > sizeof scratch->words - 8) return 1;
    struct walk *walk = &scratch->walk;
    const struct mapping *library = &scratch->mappings[LIBRARY_MAPPING];
    const __u8 *bytes = (const __u8 *)scratch->words + index;
    __u64 entry = 0, address = walk->target + index;
    if (bytes[0] == 0xe9) entry = after_displacement(address + 5, bytes + 1);
    else if (bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80) entry = after_displacement(address + 6, bytes + 2);
    else if (bytes[0] == 0xff && bytes[1] == 0x25) entry = read_slot(after_displacement(address + 6, bytes + 2));
    if (!entry) return 0;
    if (!is_in(library, entry)) entry = function_of_stub(entry);
    if (!entry || !is_in(library, entry) || defect_of_entry(walk, library, entry)) return 0;
    walk->jumps = 1;
    return 1;
}

/* Whether the function that begins at `walk.target` jumps to the library's function that returns. A page of its code is searched. */
static __always_inline int jumps_to_library(struct scratch *scratch, __u32 slot)
{
    __u64 target = scratch->walk.target, bytes = sizeof scratch->words;
    if (bpf_probe_read_user(scratch->words, sizeof scratch->words, (void *)target)) {
        bytes = PAGE_SIZE - (target & (PAGE_SIZE - 1));
        barrier_var(bytes);
        if (bytes > PAGE_SIZE || bpf_probe_read_user(scratch->words, bytes, (void *)target)) return 0;
    }
    scratch->walk.jumps = 0;
    bpf_loop(bytes, look_for_jump, &slot, 0);
    return scratch->walk.jumps;
}

/* Whether a stub's slot still leads back to the stub, which then has its function looked up: endbr64, push NUMBER, jump. */
static __always_inline int is_unresolved(__u64 function)
{
    __u8 bytes[10] = {};
    if (bpf_probe_read_user(bytes, sizeof bytes, (void *)function)) return 0;
    if (bytes[0] == 0xf3 && bytes[1] == 0x0f && bytes[2] == 0x1e && bytes[3] == 0xfa) return bytes[4] == 0x68 && (bytes[9] == 0xe9 || bytes[9] == 0xf2);
    return bytes[0] == 0x68 && bytes[5] == 0xe9;
}

/* Whether a call of a function can be returned from by the library's function that returns: enum epitope_defect. */
static __always_inline __u32 defect_of_call(struct scratch *scratch, __u32 slot, __u64 function)
{
    const struct mapping *library = &scratch->mappings[LIBRARY_MAPPING];
    if (!is_in(library, function)) {
        __u64 imported = function_of_stub(function);
        /* The function wasn't looked up yet, so the call was never made. */
        if (imported && is_unresolved(imported)) return EPITOPE_DEFECT_OTHER_FUNCTION;
        if (imported) function = imported;
    }
    if (is_in(library, function)) return defect_of_entry(&scratch->walk, library, function);
    scratch->walk.target = function;
    return jumps_to_library(scratch, slot) ? EPITOPE_DEFECT_NONE : EPITOPE_DEFECT_OTHER_IMAGE;
}

/* What is wrong with an address in an image as the one that the library's function returns to: enum epitope_defect. */
__attribute__((noinline)) __u32 defect_of_return(__u32 slot, __u64 address, __u64 start, int has_breakpoints)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    __u8 bytes[8] = {};
    if (!scratch) return EPITOPE_DEFECT_INDIRECT;
    int forms = read_call(bytes, address, start, has_breakpoints);
    __u32 defect = forms ? EPITOPE_DEFECT_OTHER_FUNCTION : EPITOPE_DEFECT_NO_CALL;
    if (forms & CALL_RELATIVE) defect = defect_of_call(scratch, slot, after_displacement(address, bytes + 4));
    if (defect && forms & CALL_SLOT) defect = defect_of_call(scratch, slot, read_slot(after_displacement(address, bytes + 4)));
    if (defect == EPITOPE_DEFECT_OTHER_FUNCTION && forms & CALL_OTHER) defect = EPITOPE_DEFECT_INDIRECT;
    return defect;
}

/* Whether a call can have entered the function that has a place: a call of an address in the same mapping, not far before it. -1: a call
 * through a register, which can't be told. */
enum { MAX_FUNCTION_BYTES = 4096 };
__attribute__((noinline)) int may_enter_function(__u32 slot, __u64 address, __u64 place)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    __u8 bytes[8] = {};
    if (!scratch) return 0;
    const struct mapping *mapping = &scratch->mappings[CALLER_MAPPING];
    int forms = read_call(bytes, address, 0, mapping->is_explained);
    __u64 target = after_displacement(address, bytes + 4);
    if (!(forms & CALL_RELATIVE)) target = forms & CALL_SLOT ? read_slot(target) : 0;
    __u64 imported = target ? function_of_stub(target) : 0;
    if (imported) target = imported;
    if (target >= mapping->start && target < place && place - target <= MAX_FUNCTION_BYTES) return 1;
    return forms & CALL_OTHER ? -1 : 0;
}

static __always_inline int is_impossible(__u32 defect)
{
    return defect && defect <= EPITOPE_DEFECT_OTHER_CALL;
}
