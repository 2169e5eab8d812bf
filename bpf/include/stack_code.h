/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which other unbacked code stands on the stack of a caller that its program may have unpacked: the agent, which tells packed programs by
 * their files, can't look once the process has ended. */
#pragma once

#include "caller.h"

/* Whether a mapping is what an unpacked program's code is in: anonymous, and nobody changes it. */
static __always_inline int can_be_unpacked(const struct mapping *mapping)
{
    return mapping->backing == EPITOPE_BACKING_ANONYMOUS && mapping->protection & VM_EXEC && !(mapping->protection & (VM_WRITE | VM_SHARED));
}

/* Looks at one word of the stack. 1 ends the search. */
static long find_code_of_word(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || index >= scratch->walk.words) return 1;
    struct epitope_stack_code *code = &scratch->event.stack_code;
    __u64 word = scratch->words[index & (EPITOPE_STACK_WORDS - 1)];
    if (!is_user_address(word)) return 0;
    int is_busy = inspect_address(scratch, word - 1, slot, WORD_MAPPING);
    const struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
    if (!is_busy && (!(mapping->protection & VM_EXEC) || !is_unbacked(mapping))) return 0;
    if (is_busy || !can_be_unpacked(mapping)) {
        code->start = 0;
        code->end = USER_ADDRESS_END;
        return 1;
    }
    if (code->start == code->end || mapping->start < code->start) code->start = mapping->start;
    if (mapping->end > code->end) code->end = mapping->end;
    return 0;
}

/* Fills in the event's stack code, of a caller that the program may have unpacked; of no other is it needed. */
__attribute__((noinline)) int find_stack_code(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct walk *walk = &scratch->walk;
    struct epitope_event *event = &scratch->event;
    if (event->finding != EPITOPE_FINDING_DIRECT && event->finding != EPITOPE_FINDING_LIBRARY) return 0;
    if (walk->is_32bit || walk->is_recorded || !can_be_unpacked(&scratch->mappings[CALLER_MAPPING])) return 0;
    if (!is_in_place_of_program(event->callers_address)) return 0;
    __u64 from = event->stack_pointer, bytes = sizeof scratch->words;
    if (bpf_probe_read_user(scratch->words, sizeof scratch->words, (void *)from)) {
        /* The stack ends before: read to the end of its page. */
        bytes = PAGE_SIZE - (from & (PAGE_SIZE - 1));
        barrier_var(bytes);
        if (bytes > PAGE_SIZE || bpf_probe_read_user(scratch->words, bytes, (void *)from)) return 0;
    }
    walk->words = bytes / 8;
    event->stack_code.is_searched = 1;
    bpf_loop(walk->words, find_code_of_word, &slot, 0);
    return 0;
}
