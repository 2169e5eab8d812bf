/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From a critical call of a marked process to its answer. */
#pragma once

#include "agents.h"
#include "exclusions.h"
#include "rings.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 << 20);
} events SEC(".maps");

/* Reports that were made: least recently used go first, and are then made again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct epitope_said);
    __type(value, __u32);
} said SEC(".maps");

static __always_inline __u32 kind_of(__u32 finding, const struct seen *at)
{
    switch (finding) {
    case EPITOPE_FINDING_DIRECT:
    case EPITOPE_FINDING_LIBRARY:
        if (at->backing == EPITOPE_BACKING_MEMORY_FILE) return EPITOPE_KIND_MEMORY_FILE;
        if (at->may_be_written || at->backing == EPITOPE_BACKING_WRITTEN_IMAGE) return EPITOPE_KIND_WRITTEN_IMAGE;
        return finding == EPITOPE_FINDING_DIRECT ? EPITOPE_KIND_DIRECT : EPITOPE_KIND_LIBRARY;
    case EPITOPE_FINDING_DEEPER: return EPITOPE_KIND_DEEPER;
    case EPITOPE_FINDING_UNATTRIBUTABLE: return EPITOPE_KIND_UNATTRIBUTABLE;
    default: return EPITOPE_KIND_UNINSPECTABLE;
    }
}

static __always_inline struct scratch *take_scratch(__u32 *slot)
{
    __u32 first = bpf_get_smp_processor_id();
    for (__u32 try = 0; try < 8; try++) {
        __u32 place = (first * 8 + try) % SCRATCHES;
        struct scratch *scratch = bpf_map_lookup_elem(&scratches, &place);
        if (scratch && __sync_val_compare_and_swap(&scratch->taken, 0, 1) == 0) {
            *slot = place;
            return scratch;
        }
    }
    count(EPITOPE_COUNT_NO_ROOM);
    return 0;
}

/* Where the call came from: enum epitope_finding, with the caller's address in the walk and its mapping in SEEN_CALLER.
 * 0: from an image, for an image. */
__attribute__((noinline)) int find(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return EPITOPE_FINDING_UNINSPECTABLE;
    struct epitope_event *event = &scratch->event;
    struct walk *walk = &scratch->walk;
    struct seen *library = &scratch->seen[SEEN_LIBRARY], *caller = &scratch->seen[SEEN_CALLER];
    walk->caller = event->instruction_pointer;
    if (see(event->instruction_pointer - 1, slot, SEEN_LIBRARY)) return EPITOPE_FINDING_UNINSPECTABLE;
    *caller = *library;
    if (library->backing == EPITOPE_BACKING_NONE) return EPITOPE_FINDING_UNINSPECTABLE;
    if (is_unbacked(library)) return EPITOPE_FINDING_DIRECT;
    int library_written = library->may_be_written;
    put_region(&event->library, library);
    int result = walk_stack(slot, event->instruction_pointer);
    if (!bpf_probe_read_user(event->stack, sizeof event->stack, (void *)event->stack_pointer))
        event->stack_count = EPITOPE_KEPT_WORDS;
    if (result) return EPITOPE_FINDING_UNINSPECTABLE;

    if (!walk->found_caller && event->call_class == EPITOPE_CLASS_EXEC) {
        /* A child of vfork or posix_spawn, on a stack of its own in the memory of its parent, which waits. */
        struct task_struct *task = bpf_get_current_task_btf();
        struct task_struct *parent = task->real_parent;
        __u64 space = (__u64)parent->mm;
        if (space == (__u64)task->mm && BPF_CORE_READ(task, vfork_done)) {
            struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(parent);
            __u64 pointer = registers->ip;
            walk->stack_pointer = registers->sp;
            if (see(pointer - 1, slot, SEEN_LIBRARY)) return EPITOPE_FINDING_UNINSPECTABLE;
            if (is_unbacked(library)) {
                walk->caller = pointer;
                walk->found_caller = 1;
                *caller = *library;
            } else if (walk_stack(slot, pointer)) {
                return EPITOPE_FINDING_UNINSPECTABLE;
            }
        }
    }
    if (!walk->found_caller) {
        int finding = find_starter(slot);
        if (finding) return finding;
    }
    if (walk->deeper) return EPITOPE_FINDING_DEEPER;
    if (walk->found_caller && (is_unbacked(caller) || caller->may_be_written)) return EPITOPE_FINDING_LIBRARY;
    if (!library_written) return 0;
    walk->caller = event->instruction_pointer;
    if (see(event->instruction_pointer - 1, slot, SEEN_CALLER)) return EPITOPE_FINDING_UNINSPECTABLE;
    return EPITOPE_FINDING_DIRECT;
}

/* Whether a report was made. Of the payload only what there is: most calls have little, and the room for reports that wait is
 * bounded. */
static __always_inline int send_event(struct epitope_event *event, __u64 payload)
{
    struct epitope_said key = {event->start_time, event->callers_address, event->process, event->call_number};
    __u32 once = 1;
    if (bpf_map_lookup_elem(&said, &key)) {
        count(EPITOPE_COUNT_REPEATED);
        return 0;
    }
    __u64 size = __builtin_offsetof(struct epitope_event, payload) + payload;
    FORGET(size);
    if (size > sizeof *event) size = sizeof *event;
    if (bpf_ringbuf_output(&events, event, size, 0)) {
        count(EPITOPE_COUNT_DROPPED);
        return 0;
    }
    bpf_map_update_elem(&said, &key, &once, BPF_ANY);
    count(EPITOPE_COUNT_REPORTED);
    return 1;
}

/* Fills in the event but for what is copied from user memory. */
__attribute__((noinline)) int describe(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    struct epitope_event *event = &scratch->event;
    event->time = bpf_ktime_get_boot_ns();
    event->start_time = task->group_leader->start_boottime;
    event->cgroup = bpf_get_current_cgroup_id();
    event->process = task->tgid;
    event->thread = task->pid;
    event->user = bpf_get_current_uid_gid();
    bpf_get_current_comm(event->command, sizeof event->command);
    put_region(&event->region, &scratch->seen[SEEN_CALLER]);
    __u64 *to = event->registers;
    to[0] = registers->ax, to[1] = registers->bx, to[2] = registers->cx, to[3] = registers->dx;
    to[4] = registers->si, to[5] = registers->di, to[6] = registers->bp, to[7] = registers->sp;
    to[8] = registers->r8, to[9] = registers->r9, to[10] = registers->r10, to[11] = registers->r11;
    to[12] = registers->r12, to[13] = registers->r13, to[14] = registers->r14, to[15] = registers->r15;
    __u64 *argument = event->arguments;
    if (event->is_narrow) {
        argument[0] = (__u32)to[1], argument[1] = (__u32)to[2], argument[2] = (__u32)to[3];
        argument[3] = (__u32)to[4], argument[4] = (__u32)to[5], argument[5] = (__u32)to[6];
    } else {
        argument[0] = to[5], argument[1] = to[4], argument[2] = to[3];
        argument[3] = to[10], argument[4] = to[8], argument[5] = to[9];
    }
    return 0;
}

/* Tells the agent that a program began whose image is a memory file: it may be a sealed copy of an image. */
static __always_inline void announce_program(struct task_struct *task, __u32 slot, struct scratch *scratch)
{
    struct inode *program = BPF_CORE_READ(task, mm, exe_file, f_inode);
    struct epitope_event *event = &scratch->event;
    struct seen *at = &scratch->seen[SEEN_CALLER];
    if (!program || !is_memory_file(program)) return;
    __builtin_memset(event, 0, __builtin_offsetof(struct epitope_event, region));
    __builtin_memset(at, 0, sizeof *at);
    at->inode = BPF_CORE_READ(program, i_ino);
    at->device = BPF_CORE_READ(program, i_sb, s_dev);
    at->generation = BPF_CORE_READ(program, i_generation);
    at->backing = EPITOPE_BACKING_MEMORY_FILE;
    event->finding = EPITOPE_FINDING_PROGRAM;
    event->call_class = EPITOPE_CLASS_EXEC;
    event->call_number = 59;
    describe(slot);
    if (bpf_ringbuf_output(&events, event, __builtin_offsetof(struct epitope_event, payload), 0)) count(EPITOPE_COUNT_DROPPED);
}

/* What is copied from user memory, by a program that may wait for it, and by one that may not. */
static __always_inline int extract(__u32 slot, const int sleepable)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    __u32 class = scratch->event.call_class;
    if (scratch->ring_borne) copy_asked_address(scratch);
    else copy_arguments(scratch, slot, sleepable);
    if (scratch->asked.socket || (class != EPITOPE_CLASS_EXEC && class != EPITOPE_CLASS_RING && class != EPITOPE_CLASS_SUBMIT))
        describe_socket(scratch, bpf_get_current_task_btf());
    /* With unbacked memory only deeper in the stack, the caller's address is the library's. */
    __u32 finding = scratch->event.finding, code = finding == EPITOPE_FINDING_DEEPER ? SEEN_LIBRARY : SEEN_CALLER;
    if (finding != EPITOPE_FINDING_UNATTRIBUTABLE) copy_code(&scratch->event, &scratch->seen[code], sleepable);
    return 0;
}
__attribute__((noinline)) int extract_waiting(__u32 slot) { return extract(slot, 1); }
__attribute__((noinline)) int extract_at_once(__u32 slot) { return extract(slot, 0); }

static __always_inline int is_send(__u32 call_class)
{
    return call_class == EPITOPE_CLASS_SEND || call_class == EPITOPE_CLASS_WRITE;
}

/* Code that sends itself: the caller's address lies in the send buffer, or right behind it. */
__attribute__((noinline)) int lies_in_what_it_sends(__u32 slot)
{
    describe(slot);
    extract_at_once(slot);
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 1;
    __u64 caller = scratch->event.callers_address;
    for (__u32 index = 0; index < EPITOPE_PIECES; index++) {
        struct epitope_piece *piece = &scratch->event.pieces[index];
        if (index >= scratch->event.piece_count) break;
        if (piece->address < caller && caller - piece->address <= piece->length) return 1;
    }
    return 0;
}

/* The answer where nobody would settle what is held. */
static __always_inline __u32 unsettled(const struct epitope_policy *policy, const struct seen *caller)
{
    return caller->may_be_written ? EPITOPE_ANSWER_PASSED : policy->otherwise;
}

/* Makes a scratch space ready for a call. */
static __always_inline void begin(struct scratch *scratch, struct task_struct *task, __u32 call_class, const int hook)
{
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    struct epitope_event *event = &scratch->event;
    __builtin_memset(event, 0, __builtin_offsetof(struct epitope_event, region));
    __builtin_memset(&event->socket, 0, sizeof event->socket);
    __builtin_memset(event->address, 0, sizeof event->address);
    __builtin_memset(event->path, 0, sizeof event->path);
    __builtin_memset(&scratch->walk, 0, sizeof scratch->walk);
    __builtin_memset(&scratch->seen, 0, sizeof scratch->seen);
    __builtin_memset(&scratch->asked, 0, sizeof scratch->asked);
    __builtin_memset(&scratch->gathering, 0, sizeof scratch->gathering);
    scratch->ring_borne = 0;
    event->instruction_pointer = registers->ip;
    event->stack_pointer = scratch->walk.stack_pointer = registers->sp;
    event->call_number = registers->orig_ax;
    event->call_class = call_class;
    event->is_hook = hook;
    event->is_narrow = (task->thread_info.status & NARROW_CALL) != 0;
    event->is_narrow_code = scratch->walk.narrow = registers->cs == NARROW_CODE;
}

/* Whether what a hook sees is a ring's request, and not the call that the thread is in: a thread of the kernel's carries it
 * out, or the thread's own call is none that sends. */
static __always_inline int is_ring_borne(struct task_struct *task, const struct epitope_event *event, const int hook)
{
    if (task->flags & WORKER_THREAD) return 1;
    __u32 number = event->call_number, class = event->call_class;
    if (!hook || class == EPITOPE_CLASS_EXEC || class == EPITOPE_CLASS_RING) return 0;
    __u32 own = number < EPITOPE_SYSCALLS ? constants.classes[event->is_narrow & 1][number] : 0;
    return !own || own > EPITOPE_CLASS_SUBMIT;
}

/* Keeps who hands requests to a ring, for when they are carried out. */
static __always_inline void note_submitter(struct task_struct *task)
{
    __u32 slot = 0;
    struct scratch *scratch = take_scratch(&slot);
    if (!scratch) return;
    begin(scratch, task, EPITOPE_CLASS_RING, 1);
    remember_submitter(slot, find(slot));
    __sync_lock_test_and_set(&scratch->taken, 0);
}

/* Keeps who starts a thread, or a child that shares its memory. */
static __always_inline void note_starter(struct task_struct *task, struct task_struct *child)
{
    __u32 slot = 0;
    struct scratch *scratch = take_scratch(&slot);
    if (!scratch) return;
    begin(scratch, task, EPITOPE_CLASS_NONE, 1);
    remember_starter(slot, find(slot), child->pid, child->start_boottime);
    __sync_lock_test_and_set(&scratch->taken, 0);
}

/* Judges a critical call of a marked process. Returns enum epitope_answer. */
static __always_inline int judge(__u32 call_class, const int sleepable, const int hook, struct asked asked)
{
    __u32 zero = 0, slot = 0, answer = EPITOPE_ANSWER_PASSED, finding = 0;
    struct task_struct *task = bpf_get_current_task_btf();
    struct epitope_policy *policy = bpf_map_lookup_elem(&policies, &zero);
    struct epitope_agent *agent = bpf_map_lookup_elem(&agents, &zero);
    if (!policy || !agent || agent->generation != constants.generation) return EPITOPE_ANSWER_PASSED;
    count(EPITOPE_COUNT_INSPECTED);
    struct scratch *scratch = take_scratch(&slot);
    /* Nothing is told of it but its number: nobody would settle what is held. */
    if (!scratch) return hook && policy->act_on & EPITOPE_KIND_UNINSPECTABLE && policy->answer ? EPITOPE_ANSWER_DENIED : EPITOPE_ANSWER_PASSED;
    struct epitope_event *event = &scratch->event;
    begin(scratch, task, call_class, hook);
    scratch->asked = asked;
    scratch->walk.wants_deeper = (policy->report_on & EPITOPE_KIND_DEEPER) != 0;

    if (is_ring_borne(task, event, hook)) {
        scratch->ring_borne = 1;
        event->call_number = RING_NUMBER;
        finding = find_submitter(slot);
        if (!finding && task->flags & WORKER_THREAD) finding = EPITOPE_FINDING_UNATTRIBUTABLE;
    }
    if (!finding) {
        finding = find(slot);
        if (call_class == EPITOPE_CLASS_RING) remember_submitter(slot, finding);
    }
    if (finding == EPITOPE_FINDING_UNINSPECTABLE) count(EPITOPE_COUNT_BUSY);
    if (finding == EPITOPE_FINDING_UNATTRIBUTABLE) count(EPITOPE_COUNT_UNATTRIBUTABLE);
    __u32 kind = finding ? kind_of(finding, &scratch->seen[SEEN_CALLER]) : 0;
    /* What is looked at once more by the agent, which searches what is sent for the caller's code. */
    int looked_at = 0;
    if (kind) {
        event->excluded = all_excluded();
        event->callers_address = finding == EPITOPE_FINDING_DEEPER ? event->instruction_pointer : scratch->walk.caller;
        if (kind & event->excluded) {
            count(EPITOPE_COUNT_EXCLUSIOND);
            looked_at = is_send(call_class) && finding <= EPITOPE_FINDING_LIBRARY;
            kind = looked_at && lies_in_what_it_sends(slot) && !(event->excluded & EPITOPE_KIND_SENDS_ITSELF) ? EPITOPE_KIND_SENDS_ITSELF : 0;
        }
    }
    /* Where the kernel can't tell whether just this page of an image was written, the process is held for the agent to
     * say. */
    if (kind & policy->act_on)
        answer = scratch->seen[SEEN_CALLER].may_be_written && policy->answer ? EPITOPE_ANSWER_STOPPED : policy->answer;
    /* Nobody is held or killed because its address space was busy. */
    if (answer && kind == EPITOPE_KIND_UNINSPECTABLE) answer = hook ? EPITOPE_ANSWER_DENIED : EPITOPE_ANSWER_PASSED;
    if (answer == EPITOPE_ANSWER_STOPPED && !settles(agent, task)) answer = unsettled(policy, &scratch->seen[SEEN_CALLER]);
    if (answer) count(EPITOPE_COUNT_ACTED);
    if (looked_at || (kind && (answer || kind & policy->report_on))) {
        event->finding = finding;
        event->answer = answer;
        event->deeper_address = scratch->walk.deeper;
        describe(slot);
        if (sleepable) extract_waiting(slot);
        else extract_at_once(slot);
        if (!send_event(event, scratch->gathering.used) && answer == EPITOPE_ANSWER_STOPPED) answer = unsettled(policy, &scratch->seen[SEEN_CALLER]);
    }
    __sync_lock_test_and_set(&scratch->taken, 0);
    return answer;
}
