/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From a critical call of a marked process to its answer, in the steps of the host's own walk (SeccompBackend): decode, inspect, decide,
 * extract, respond, report. The response is applied last, by the caller: a denial is a hook's result. */
#pragma once

#include "exclusions.h"
#include "inspection.h"
#include "reports.h"
#include "running_program.h"
#include "stack_code.h"

/* Beside enum epitope_answer: the call is to be inspected again once its pages are in memory. */
enum { ANSWER_AFTER_WAITING = 255 };

/* What is done about a call. */
struct decision {
    __u32 kind;                          /* EPITOPE_KIND_*; 0: no evidence that counts */
    __u32 answer;                        /* enum epitope_answer */
    int is_reported;
};

/* The kind of evidence that a finding is. */
static __always_inline __u32 kind_of(__u32 finding, const struct mapping *mapping)
{
    switch (finding) {
    case 0: return 0;
    case EPITOPE_FINDING_IMPOSSIBLE: return EPITOPE_KIND_IMPOSSIBLE_RETURN;
    case EPITOPE_FINDING_UNCHECKED: return EPITOPE_KIND_UNCHECKED_RETURN;
    case EPITOPE_FINDING_DIRECT:
    case EPITOPE_FINDING_LIBRARY:
        if (mapping->is_unpacked) return EPITOPE_KIND_PACKED_PROGRAM;
        if (mapping->backing == EPITOPE_BACKING_WRITTEN_FILE) return EPITOPE_KIND_WRITTEN_FILE;
        if (mapping->backing == EPITOPE_BACKING_MEMORY_FILE) return EPITOPE_KIND_MEMORY_FILE;
        if (may_differ_from_file(mapping)) return EPITOPE_KIND_WRITTEN_IMAGE;
        return finding == EPITOPE_FINDING_DIRECT ? EPITOPE_KIND_DIRECT : EPITOPE_KIND_LIBRARY;
    case EPITOPE_FINDING_DEEPER: return EPITOPE_KIND_DEEPER;
    case EPITOPE_FINDING_UNATTRIBUTABLE: return EPITOPE_KIND_UNATTRIBUTABLE;
    default: return EPITOPE_KIND_UNINSPECTABLE;
    }
}

static __always_inline int is_send(__u32 call_class)
{
    return call_class == EPITOPE_CLASS_SEND || call_class == EPITOPE_CLASS_WRITE;
}

/* Whether the code sends itself: the caller's address is in the data to be sent, or right behind it. */
__attribute__((noinline)) int sends_own_code(__u32 slot)
{
    fill_event(slot);
    extract(slot);
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 1;
    __u64 caller = scratch->event.callers_address;
    for (__u32 index = 0; index < EPITOPE_MAX_PIECES; index++) {
        struct epitope_piece *piece = &scratch->event.pieces[index];
        if (index >= scratch->event.piece_count) break;
        if (piece->address < caller && caller - piece->address <= piece->length) return 1;
    }
    return 0;
}

/* The answer for a call that has no scratch space. The process can't be stopped: no report would tell an agent to settle it. */
static __always_inline __u32 answer_without_scratch(const struct epitope_rule *policy, const int is_hook)
{
    int is_acted_upon = policy->act_on & EPITOPE_KIND_UNINSPECTABLE && policy->answer;
    return is_hook && is_acted_upon ? EPITOPE_ANSWER_DENIED : EPITOPE_ANSWER_PASSED;
}

/* Whether the agent has to look at the caller's page before anything is held of it. */
static __always_inline int is_undetermined(__u32 kind, const struct mapping *caller)
{
    return kind == EPITOPE_KIND_WRITTEN_IMAGE && caller->may_be_written;
}

/* The answer instead of a stop that no agent would settle. */
static __always_inline __u32 answer_without_agent(__u32 kind, const struct epitope_rule *policy, const struct mapping *caller)
{
    return is_undetermined(kind, caller) ? EPITOPE_ANSWER_PASSED : policy->answer_without_agent;
}

/* The answer that the policy has for a kind of evidence. */
static __always_inline __u32 answer_for(__u32 kind, const struct epitope_rule *policy, const struct mapping *caller,
                                        const struct epitope_agent *agent, const struct task_struct *task, const int is_hook)
{
    __u32 answer = EPITOPE_ANSWER_PASSED;
    /* Where the kernel can't determine whether this page of an image was written, the process is stopped until the agent has looked. */
    if (kind & policy->act_on) answer = is_undetermined(kind, caller) && policy->answer ? EPITOPE_ANSWER_STOPPED : policy->answer;
    /* No process is stopped or killed because its address space was busy. */
    if (answer && kind == EPITOPE_KIND_UNINSPECTABLE) answer = is_hook ? EPITOPE_ANSWER_DENIED : EPITOPE_ANSWER_PASSED;
    if (answer == EPITOPE_ANSWER_STOPPED && !agent_can_settle(agent, task)) answer = answer_without_agent(kind, policy, caller);
    return answer;
}

/* Applies exclusions to a kind of evidence. What remains is 0, or that an excluded caller sends its own code. `is_reported` is set for
 * excluded sends: the agent searches the data for copies of the code. */
static __always_inline __u32 apply_exclusions(__u32 kind, struct scratch *scratch, __u32 slot, __u32 finding, int *is_reported)
{
    struct epitope_event *event = &scratch->event;
    event->excluded = excluded_kinds();
    if (!(kind & event->excluded)) return kind;
    count(EPITOPE_COUNT_EXCLUDED);
    if (!is_send(event->call_class) || finding > EPITOPE_FINDING_LIBRARY) return 0;
    *is_reported = 1;
    return sends_own_code(slot) && !(event->excluded & EPITOPE_KIND_SENDS_ITSELF) ? EPITOPE_KIND_SENDS_ITSELF : 0;
}

/* Decides on an inspected call. */
static __always_inline struct decision decide(struct scratch *scratch, __u32 slot, __u32 finding, const struct epitope_rule *policy,
                                              const struct epitope_agent *agent, const struct task_struct *task, const int is_hook)
{
    struct decision decision = {};
    struct epitope_event *event = &scratch->event;
    const struct mapping *caller = &scratch->mappings[CALLER_MAPPING];
    decision.kind = kind_of(finding, caller);
    if (!decision.kind) return decision;
    event->callers_address = is_of_stack(finding) ? event->instruction_pointer : scratch->walk.caller;
    event->deeper_address = !is_of_stack(finding) ? 0 : finding == EPITOPE_FINDING_DEEPER ? scratch->walk.deeper : scratch->walk.caller;
    decision.kind = apply_exclusions(decision.kind, scratch, slot, finding, &decision.is_reported);
    decision.answer = answer_for(decision.kind, policy, caller, agent, task, is_hook);
    if (decision.kind && (decision.answer || decision.kind & policy->report_on)) decision.is_reported = 1;
    return decision;
}

/* Whether a call can be made again from its start: not one of several that a ring or io_submit takes at a time, and only while there is
 * somebody to answer. */
static __always_inline int can_be_held(const struct scratch *scratch, const struct epitope_agent *agent, const struct task_struct *task,
                                       const int is_hook)
{
    const struct epitope_event *event = &scratch->event;
    __u32 number = event->call_number;
    if (!is_hook || scratch->is_io_uring || !agent_can_settle(agent, task)) return 0;
    return number >= EPITOPE_SYSCALLS || constants.classes[event->is_32bit_call & 1][number] != EPITOPE_CLASS_IO_SUBMIT;
}

enum { AGENT_KNOWS_NO_MORE, AGENT_EXPLAINED, AGENT_IS_ASKED };

/* What the agent can say of a caller beyond what the kernel knows, or has said since it was recorded (call_origins.h). */
__attribute__((noinline)) int ask_agent(__u32 slot, __u32 finding)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return AGENT_KNOWS_NO_MORE;
    if (finding == EPITOPE_FINDING_UNCHECKED) {
        if (scratch->walk.knows_frame || !make_frame_question(slot)) return AGENT_KNOWS_NO_MORE;
    } else {
        struct mapping *caller = &scratch->mappings[CALLER_MAPPING];
        __u64 address = finding == EPITOPE_FINDING_DEEPER ? scratch->event.deeper_address : scratch->event.callers_address;
        if (finding > EPITOPE_FINDING_DEEPER || !is_comparable(caller, address - 1)) return AGENT_KNOWS_NO_MORE;
        apply_answer(address, slot, CALLER_MAPPING);
        /* The answer came just now: the call is inspected again by it, since what stands behind this caller may count, too. */
        if (caller->is_explained) return scratch->walk.is_recorded ? AGENT_EXPLAINED : AGENT_IS_ASKED;
        if (caller->answer != EPITOPE_CODE_UNANSWERED) return AGENT_KNOWS_NO_MORE;
    }
    return is_waiting_for_answer(slot) ? AGENT_IS_ASKED : AGENT_KNOWS_NO_MORE;
}

/* Reports a call, if that is new, with what only a report needs. Whether the agent was told of it. */
static __always_inline int report_call(struct scratch *scratch, __u32 slot, const struct decision *decision, const struct epitope_rule *policy)
{
    find_stack_code(slot);
    if (!is_new_report(scratch, slot)) {
        count(EPITOPE_COUNT_REPEATED);
        int is_cut = policy->cuts && decision->answer == EPITOPE_ANSWER_STOPPED;
        if (!is_cut || is_undetermined(decision->kind, &scratch->mappings[CALLER_MAPPING])) return 0;
        /* By that the agent tells whether the process still has the code. */
        describe_program(slot);
        return send_repetition(scratch);
    }
    describe_program(slot);
    describe_region_file(slot);
    return send_report(scratch);
}

/* Handles a critical call of a marked process in a scratch space. Returns enum epitope_answer. */
static __always_inline int handle_call_in(struct scratch *scratch, __u32 slot, __u32 call_class, const int is_hook,
                                          struct hook_arguments hook_arguments, const struct epitope_rule *policy,
                                          const struct epitope_agent *agent, const int can_wait)
{
    struct task_struct *task = bpf_get_current_task_btf();
    decode(scratch, task, call_class, is_hook);
    scratch->hook_arguments = hook_arguments;
    scratch->walk.wants_deeper = (policy->report_on & EPITOPE_KIND_DEEPER) != 0;
    __u32 finding = inspect(scratch, slot, task, is_hook);
    struct decision decision = decide(scratch, slot, finding, policy, agent, task, is_hook);
    int is_serious = decision.answer || (decision.kind == EPITOPE_KIND_UNCHECKED_RETURN && policy->answer);
    if (is_serious && can_be_held(scratch, agent, task, is_hook)) {
        int outcome = ask_agent(slot, finding);
        if (outcome == AGENT_EXPLAINED) return EPITOPE_ANSWER_PASSED;
        if (outcome == AGENT_IS_ASKED) return EPITOPE_ANSWER_HELD;
    }
    if (decision.is_reported) {
        struct epitope_event *event = &scratch->event;
        event->finding = finding;
        event->answer = decision.answer;
        event->defect = scratch->walk.defect;
        fill_event(slot);
        extract(slot);
        if (can_wait && scratch->missing_count) return ANSWER_AFTER_WAITING;
        /* Without a report the agent can't settle a stop. */
        if (!report_call(scratch, slot, &decision, policy) && decision.answer == EPITOPE_ANSWER_STOPPED)
            decision.answer = answer_without_agent(decision.kind, policy, &scratch->mappings[CALLER_MAPPING]);
    }
    if (decision.answer) count(EPITOPE_COUNT_ACTED);
    return decision.answer;
}

/* Waits for pages of the process's memory, with no scratch space taken: they may be in swap, or in a file whose file system takes as long
 * as it likes. */
static __always_inline void wait_for_pages(const __u64 *pages)
{
    for (int index = 0; index < MAX_MISSING; index++) {
        __u8 byte;
        if (pages[index]) bpf_copy_from_user(&byte, 1, (void *)pages[index]);
    }
}

/* What the policy says of the calls of a class. A ring's requests may send or connect. */
static __always_inline const struct epitope_rule *rule_of(const struct epitope_policy *policy, __u32 call_class)
{
    __u32 application = call_class == EPITOPE_CLASS_EXEC ? EPITOPE_APPLICATION_EXEC
        : call_class == EPITOPE_CLASS_CONNECT ? EPITOPE_APPLICATION_CONNECT
        : call_class == EPITOPE_CLASS_SERVE ? EPITOPE_APPLICATION_LISTEN : EPITOPE_APPLICATION_SEND;
    if (call_class == EPITOPE_CLASS_IO_URING && !policy->rules[EPITOPE_APPLICATION_SEND].is_on) application = EPITOPE_APPLICATION_CONNECT;
    barrier_var(application);
    return &policy->rules[application & (EPITOPE_APPLICATIONS - 1)];
}

/* Handles a critical call of a marked process. Returns enum epitope_answer. A program that may wait (`sleepable`) inspects the call again
 * once it has waited for what was missing; the second inspection decides. */
static __always_inline int handle_call(__u32 call_class, const int sleepable, const int is_hook, struct hook_arguments hook_arguments)
{
    __u32 zero = 0, slot = 0;
    __u64 pages[MAX_MISSING] = {};
    struct epitope_policy *policies_in_force = bpf_map_lookup_elem(&policies, &zero);
    struct epitope_agent *agent = bpf_map_lookup_elem(&agents, &zero);
    if (!policies_in_force || !agent || agent->generation != constants.generation) return EPITOPE_ANSWER_PASSED;
    const struct epitope_rule *policy = rule_of(policies_in_force, call_class);
    if (!policy->is_on) return EPITOPE_ANSWER_PASSED;
    count(EPITOPE_COUNT_INSPECTED);
    struct scratch *scratch = take_scratch(&slot);
    if (!scratch) return answer_without_scratch(policy, is_hook);
    int answer = handle_call_in(scratch, slot, call_class, is_hook, hook_arguments, policy, agent, sleepable);
    if (sleepable && answer == ANSWER_AFTER_WAITING)
        __builtin_memcpy(pages, scratch->missing, sizeof pages);
    release_scratch(scratch);
    if (!sleepable || answer != ANSWER_AFTER_WAITING) return answer;

    wait_for_pages(pages);
    scratch = take_scratch(&slot);
    if (!scratch) return answer_without_scratch(policy, is_hook);
    answer = handle_call_in(scratch, slot, call_class, is_hook, hook_arguments, policy, agent, 0);
    release_scratch(scratch);
    return answer;
}

/* Has the current call made again from its start. The kernel does that on its way back to user space if the call's result asks for it and
 * a signal was pending, also where none is any more. SIGCONT takes the stop back before anybody sees it, and no process is told of a
 * SIGCONT that it neither handles nor blocks. A debugger is told of every signal; of SIGURG it makes nothing. Returns the call's result. */
static __always_inline int make_again(void)
{
    struct task_struct *task = bpf_get_current_task_btf();
    long failure;
    if (task->ptrace && !(task->blocked.sig[0] & 1ul << (SIGURG - 1))) {
        failure = bpf_send_signal_thread(SIGURG);
    } else {
        failure = bpf_send_signal_thread(SIGSTOP);
        bpf_send_signal_thread(SIGCONT);
    }
    return failure ? -EPERM : -ERESTARTNOINTR;
}

/* Responds: sends the signal of an answer. Returns the result that a hook denies the call by. */
static __always_inline int respond(int answer)
{
    if (answer == EPITOPE_ANSWER_HELD) return make_again();
    if (answer == EPITOPE_ANSWER_KILLED) bpf_send_signal(SIGKILL);
    else if (answer == EPITOPE_ANSWER_STOPPED) bpf_send_signal(SIGSTOP);
    return answer == EPITOPE_ANSWER_PASSED ? 0 : -EPERM;
}
