/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Decoding a call, and finding the code that it came from. */
#pragma once

#include "agents.h"
#include "caller.h"
#include "io_uring.h"

/* Decodes the current call into a scratch space, which may hold the previous one's. */
static __always_inline void decode(struct scratch *scratch, struct task_struct *task, __u32 call_class, const int is_hook)
{
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    struct epitope_event *event = &scratch->event;
    __builtin_memset(event, 0, __builtin_offsetof(struct epitope_event, region));
    __builtin_memset(&event->program, 0, sizeof event->program);
    __builtin_memset(&event->region_file, 0, sizeof event->region_file);
    __builtin_memset(&event->stack_code, 0, sizeof event->stack_code);
    __builtin_memset(&event->socket, 0, sizeof event->socket);
    __builtin_memset(event->address, 0, sizeof event->address);
    __builtin_memset(event->path, 0, sizeof event->path);
    __builtin_memset(&scratch->walk, 0, sizeof scratch->walk);
    __builtin_memset(&scratch->mappings, 0, sizeof scratch->mappings);
    __builtin_memset(&scratch->hook_arguments, 0, sizeof scratch->hook_arguments);
    __builtin_memset(&scratch->message_cursor, 0, sizeof scratch->message_cursor);
    scratch->is_io_uring = 0;
    event->instruction_pointer = registers->ip;
    event->stack_pointer = scratch->walk.stack_pointer = registers->sp;
    scratch->walk.frame_pointer = registers->bp;
    event->call_number = scratch->walk.call_number = call_number(registers->orig_ax);
    scratch->has_32bit_layout = is_32bit_call(task) || has_32bit_layout(registers->orig_ax);
    event->call_class = call_class;
    event->is_hook = is_hook;
    event->is_32bit_call = is_32bit_call(task);
    event->is_32bit_code = scratch->walk.is_32bit = registers->cs == USER32_CS;
}

/* Where another task's user registers are. bpf_task_pt_regs takes only the current task everywhere (Linux 6.2 and later hold another,
 * such as a parent, for untrusted in programs that may sleep); they lie at the same place of every task's kernel stack. */
static __always_inline struct pt_regs *registers_of(struct task_struct *other)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    __u64 own = 0;
    bpf_probe_read_kernel(&own, sizeof own, &registers);
    return (struct pt_regs *)(own - (__u64)BPF_CORE_READ(task, stack) + (__u64)BPF_CORE_READ(other, stack));
}

/* Turns a walk to the stack of the parent that waits for this child of vfork or posix_spawn, in the same memory. Returns the parent's
 * instruction pointer; 0: there is no such parent. Not inlined: the verifier adds up the stacks of a call path. */
__attribute__((noinline)) __u64 turn_to_vfork_parent(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct walk *walk = &scratch->walk;
    struct task_struct *task = bpf_get_current_task_btf();
    struct task_struct *parent = BPF_CORE_READ(task, real_parent);
    if (BPF_CORE_READ(parent, mm) != task->mm || !BPF_CORE_READ(task, vfork_done)) return 0;
    struct pt_regs *registers = registers_of(parent);
    walk->stack_pointer = BPF_CORE_READ(registers, sp);
    walk->frame_pointer = BPF_CORE_READ(registers, bp);
    walk->call_number = BPF_CORE_READ(registers, orig_ax);
    return BPF_CORE_READ(registers, ip);
}

/* A child of vfork or posix_spawn may run on a stack of its own in the memory of its parent, which waits: the caller is on the parent's
 * stack. 0, or -EBUSY. */
static __always_inline int find_caller_of_vfork(struct scratch *scratch, __u32 slot)
{
    struct walk *walk = &scratch->walk;
    struct mapping *library = &scratch->mappings[LIBRARY_MAPPING];
    __u64 pointer = turn_to_vfork_parent(slot);
    if (!pointer) return 0;
    if (inspect_address(scratch, pointer - 1, slot, LIBRARY_MAPPING)) return -EBUSY;
    if (!is_unbacked(library)) return walk_stack(slot, pointer);
    walk->caller = pointer;
    walk->found_caller = 1;
    scratch->mappings[CALLER_MAPPING] = *library;
    return 0;
}

/* Whether the word that the caller's address was read from still has it: another thread may have written it while the stack was read.
 * What stands there now is then looked at instead. */
static __always_inline int recheck_caller(struct walk *walk, struct scratch *scratch, __u32 slot)
{
    __u64 word = 0;
    if (!walk->slot || bpf_probe_read_user(&word, 8, (void *)walk->slot) || word == walk->caller) return 0;
    if (!walk->defect) walk->defect = EPITOPE_DEFECT_CHANGED;
    if (!is_user_address(word)) return 0;
    if (inspect_address(scratch, word - 1, slot, WORD_MAPPING)) return -EBUSY;
    struct mapping *mapping = &scratch->mappings[WORD_MAPPING];
    if (mapping->protection & VM_EXEC && is_unbacked(mapping)) {
        walk->caller = word;
        scratch->mappings[CALLER_MAPPING] = *mapping;
    }
    return 0;
}

/* The finding about a caller that a walk found; 0: it is in an image, and its address can be right. */
static __always_inline int finding_of_walk(const struct walk *walk, const struct mapping *caller)
{
    if (walk->found_caller && is_unbacked(caller) && !walk->deeper) return EPITOPE_FINDING_LIBRARY;
    if (is_impossible(walk->defect)) return EPITOPE_FINDING_IMPOSSIBLE;
    if (walk->found_caller && caller->may_be_written && !walk->deeper) return EPITOPE_FINDING_LIBRARY;
    if (walk->defect) return EPITOPE_FINDING_UNCHECKED;
    return walk->deeper ? EPITOPE_FINDING_DEEPER : 0;
}

/* The finding where code that a packed program unpacked is the caller, or made the call itself: other code that stands behind it is the
 * caller. */
__attribute__((noinline)) int finding_of_unpacked(__u32 slot, int finding)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct walk *walk = &scratch->walk;
    struct mapping *caller = &scratch->mappings[CALLER_MAPPING], *library = &scratch->mappings[LIBRARY_MAPPING];
    if (finding == EPITOPE_FINDING_LIBRARY) return finding;
    if (walk->deeper) {
        walk->caller = walk->deeper;
        walk->deeper = 0;
        return EPITOPE_FINDING_LIBRARY;
    }
    if (!library->is_unpacked) return EPITOPE_FINDING_LIBRARY;
    walk->caller = scratch->event.instruction_pointer;
    *caller = *library;
    return EPITOPE_FINDING_DIRECT;
}

/* Finds the code that made the call: enum epitope_finding, with the caller's address in the walk and its mapping in CALLER_MAPPING. 0: no
 * code in unbacked memory was found. */
__attribute__((noinline)) int find_caller(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct epitope_event *event = &scratch->event;
    struct walk *walk = &scratch->walk;
    struct mapping *library = &scratch->mappings[LIBRARY_MAPPING], *caller = &scratch->mappings[CALLER_MAPPING];
    walk->caller = event->instruction_pointer;
    if (inspect_address(scratch, event->instruction_pointer - 1, slot, LIBRARY_MAPPING)) return EPITOPE_FINDING_UNINSPECTABLE;
    *caller = *library;
    if (library->backing == EPITOPE_BACKING_NONE) return EPITOPE_FINDING_UNINSPECTABLE;
    if (is_unbacked(library)) return EPITOPE_FINDING_DIRECT;
    walk->is_unpacked = library->is_unpacked;
    int library_written = library->may_be_written;
    copy_region(&event->library, library);
    int result = walk_stack(slot, event->instruction_pointer);
    if (!bpf_probe_read_user(event->stack, sizeof event->stack, (void *)event->stack_pointer))
        event->stack_count = EPITOPE_EVENT_STACK_WORDS;
    if (result) return EPITOPE_FINDING_UNINSPECTABLE;
    if (recheck_caller(walk, scratch, slot)) return EPITOPE_FINDING_UNINSPECTABLE;

    if (!walk->found_caller && event->call_class == EPITOPE_CLASS_EXEC && find_caller_of_vfork(scratch, slot))
        return EPITOPE_FINDING_UNINSPECTABLE;
    if (!walk->found_caller) {
        int origin = load_starter(slot);
        if (origin) return origin;
    }
    int finding = finding_of_walk(walk, caller);
    if (walk->is_unpacked && !is_impossible(walk->defect)) return finding_of_unpacked(slot, finding);
    if (finding || !library_written) return finding;
    walk->caller = event->instruction_pointer;
    if (inspect_address(scratch, event->instruction_pointer - 1, slot, CALLER_MAPPING)) return EPITOPE_FINDING_UNINSPECTABLE;
    return EPITOPE_FINDING_DIRECT;
}

/* Whether a hook was reached by an io_uring request, and not by the system call that the thread is in: a thread of the kernel carries the
 * request out, or the thread's system call can't send. */
static __always_inline int is_io_uring_request(struct task_struct *task, const struct epitope_event *event, const int is_hook)
{
    if (task->flags & PF_IO_WORKER) return 1;
    __u32 number = event->call_number, class = event->call_class;
    if (!is_hook || class == EPITOPE_CLASS_EXEC || class == EPITOPE_CLASS_IO_URING) return 0;
    __u32 own = number < EPITOPE_SYSCALLS ? constants.classes[event->is_32bit_call & 1][number] : 0;
    return !own || own > EPITOPE_CLASS_IO_SUBMIT;
}

/* Inspects a decoded call: finds the code that made it or, for an io_uring request, that submitted it. */
static __always_inline __u32 inspect(struct scratch *scratch, __u32 slot, struct task_struct *task, const int is_hook)
{
    struct epitope_event *event = &scratch->event;
    __u32 finding = 0;
    if (is_io_uring_request(task, event, is_hook)) {
        scratch->is_io_uring = 1;
        event->call_number = NR_IO_URING_ENTER;
        finding = load_submitter(slot);
        if (!finding && task->flags & PF_IO_WORKER) finding = EPITOPE_FINDING_UNATTRIBUTABLE;
    }
    if (!finding) {
        finding = find_caller(slot);
        if (event->call_class == EPITOPE_CLASS_IO_URING) store_submitter(slot, finding);
    }
    if (finding == EPITOPE_FINDING_UNINSPECTABLE) count(EPITOPE_COUNT_BUSY);
    if (finding == EPITOPE_FINDING_UNATTRIBUTABLE) count(EPITOPE_COUNT_UNATTRIBUTABLE);
    return finding;
}

/* Records the code that submits requests to a ring, for when they are carried out. */
static __always_inline void record_submitter(struct task_struct *task)
{
    __u32 slot = 0;
    struct scratch *scratch = take_scratch(&slot);
    if (!scratch) {
        set_lost((__u64)task->mm, EPITOPE_LOST_SUBMITTER);
        return;
    }
    decode(scratch, task, EPITOPE_CLASS_IO_URING, 1);
    store_submitter(slot, find_caller(slot));
    release_scratch(scratch);
}

/* Records the code that starts a thread, or a child that shares its memory. */
static __always_inline void record_starter(struct task_struct *task, struct task_struct *child)
{
    __u32 slot = 0;
    struct scratch *scratch = take_scratch(&slot);
    if (!scratch) {
        set_lost((__u64)task->mm, EPITOPE_LOST_STARTER);
        return;
    }
    decode(scratch, task, EPITOPE_CLASS_NONE, 1);
    store_starter(slot, find_caller(slot), child->pid, child->start_boottime);
    release_scratch(scratch);
}
