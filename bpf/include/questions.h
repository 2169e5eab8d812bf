/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What only the agent can tell of a caller's code, since it takes the file: whether a written page of an image is the file's all the same
 * (a debugger's breakpoints, probes, text relocations), whether code without a file is an image's copy, or what a packed program unpacked;
 * and how far the frame of an image's function reaches, behind which its caller's address stands.
 *
 * Where hooks can deny a call, it is held instead until the agent has compared (decision.h, `ask_agent`): it is made again from its start
 * and asks for the answer each time. An answer holds for the bytes that were compared. They are hashed at each call anew, so that other
 * bytes at the same place have no answer. Without an agent, without room, or without an answer in time, the call is judged by what the
 * kernel knows. */
#pragma once

#include "agents.h"
#include "page_tables.h"
#include "reports.h"

/* The answers, enum epitope_code_origin. The least recently used are dropped, and asked for again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, EPITOPE_MAX_ANSWERS);
    __type(key, struct epitope_question);
    __type(value, __u32);
} answers SEC(".maps");

/* The question of a process; the agent deletes it when it has answered. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EPITOPE_MAX_QUESTIONS);
    __type(key, __u32);
    __type(value, struct epitope_asked);
} questions SEC(".maps");

#define MAX_ANSWER_TIME (2 * NSEC_PER_SEC)
#define MAX_PACKED_BYTES (64ul << 20)        /* that a packed program unpacks, below its own code */

/* Whether an address lies where the process's program does, or unpacks itself to. */
static __always_inline int is_in_place_of_program(__u64 address)
{
    struct mm_struct *space = bpf_get_current_task_btf()->mm;
    __u64 start = BPF_CORE_READ(space, start_code), end = BPF_CORE_READ(space, start_brk), end_code = BPF_CORE_READ(space, end_code);
    /* A program that no loader loads, at no fixed place, has its heap far below. */
    if (end < end_code) end = end_code;
    return address < end && address + MAX_PACKED_BYTES >= start;
}

/* Whether a comparison with a file may explain the code at an address. Not of memory that can be changed between the comparison and the
 * call. */
static __always_inline int is_comparable(const struct mapping *mapping, __u64 address)
{
    if (!(mapping->protection & VM_EXEC) || mapping->protection & (VM_WRITE | VM_SHARED)) return 0;
    if (mapping->backing == EPITOPE_BACKING_WRITTEN_IMAGE) return 1;
    if (mapping->backing == EPITOPE_BACKING_IMAGE) return mapping->may_be_written;
    if (mapping->backing != EPITOPE_BACKING_ANONYMOUS && mapping->backing != EPITOPE_BACKING_MEMORY_FILE) return 0;
    return is_in_place_of_program(address);
}

/* Code is hashed by adding up its words, each times a random key of its own. Nobody who doesn't know the keys can find other bytes with the
 * same sum but by trying, each time with a chance of at most 2^-33, and each try is a call that is denied (multilinear hashing: Carter and
 * Wegman, "Universal Classes of Hash Functions"; Lemire and Kaser, "Strongly universal string hashing is fast"). */
enum { WORDS_AT_A_TIME = 16 };
static long add_words(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || index >= EPITOPE_CONTENT_WORDS / WORDS_AT_A_TIME) return 1;
    const __u32 *words = (const __u32 *)scratch->event.code + index * WORDS_AT_A_TIME;
    for (int each = 0; each < WORDS_AT_A_TIME; each++)
        scratch->asked.question.content += constants.content_keys[index * WORDS_AT_A_TIME + each] * words[each];
    return 0;
}

/* Reads the pages of the instruction right before an address to where the code is extracted to later. Returns their length; 0: they can't
 * be read. */
static __always_inline __u32 read_pages(struct scratch *scratch, __u64 address, const struct mapping *mapping)
{
    __u8 *code = scratch->event.code;
    __u64 page = (address - 1) & ~(PAGE_SIZE - 1), before = (address - MAX_CALL_BYTES) & ~(PAGE_SIZE - 1);
    if (before < page && before >= mapping->start) {
        if (!bpf_probe_read_user(code, 2 * PAGE_SIZE, (void *)before)) return 2 * PAGE_SIZE;
        /* A page that nobody has touched yet is the file's. */
        if (page_was_written(before)) return 0;
    }
    return bpf_probe_read_user(code, PAGE_SIZE, (void *)page) ? 0 : PAGE_SIZE;
}

/* Makes the question about the code right before an address. 0: its pages can't be read. */
static __always_inline int make_question(struct scratch *scratch, __u32 slot, __u64 address, const struct mapping *mapping)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct epitope_question *question = &scratch->asked.question;
    __u32 length = read_pages(scratch, address, mapping);
    if (!length) return 0;
    question->content = 0;
    bpf_loop(length / (4 * WORDS_AT_A_TIME), add_words, &slot, 0);
    question->callers_address = address;
    question->start_time = task->group_leader->start_boottime;
    question->executions = BPF_CORE_READ(task, self_exec_id);
    question->inode = mapping->inode;
    question->offset = mapping->offset + (((address - 1) & ~(PAGE_SIZE - 1)) - mapping->start);
    question->process = task->tgid;
    question->device = mapping->device;
    question->length = length;
    question->generation = question->unused = 0;
    question->kind = EPITOPE_QUESTION_CODE;
    return 1;
}

/* The place of the caller's call in its image. */
static __always_inline struct epitope_site site_of_caller(const struct scratch *scratch)
{
    const struct mapping *mapping = &scratch->mappings[CALLER_MAPPING];
    struct inode *inode = (struct inode *)mapping->stack_pointer_or_inode;
    return (struct epitope_site){
        mapping->inode, mapping->offset + (scratch->walk.caller - 1 - mapping->start), mapping->device, BPF_CORE_READ(inode, i_generation)};
}

/* Makes the question how far the caller's frame reaches. 0: it is in no image, or the agent has said that it doesn't know. */
__attribute__((noinline)) int make_frame_question(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || !scratch->mappings[CALLER_MAPPING].stack_pointer_or_inode) return 0;
    struct epitope_site site = site_of_caller(scratch);
    struct epitope_question *question = &scratch->asked.question;
    __builtin_memset(question, 0, sizeof *question);
    question->inode = site.inode;
    question->offset = site.offset;
    question->device = site.device;
    question->generation = site.generation;
    question->kind = EPITOPE_QUESTION_FRAME;
    return !bpf_map_lookup_elem(&answers, question);
}

/* Looks for the agent's answer about the code right before an address in one of the scratch space's mappings, and makes it the mapping's. */
__attribute__((noinline)) int apply_answer(__u64 address, __u32 slot, __u32 index)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct mapping *mapping = &scratch->mappings[index & (MAPPING_COUNT - 1)];
    mapping->answer = EPITOPE_CODE_NOT_ASKED;
    if (!make_question(scratch, slot, address, mapping)) return 0;
    __u32 *origin = bpf_map_lookup_elem(&answers, &scratch->asked.question);
    mapping->answer = origin ? EPITOPE_CODE_ANSWERED : EPITOPE_CODE_UNANSWERED;
    if (!origin) return 0;
    mapping->is_explained = *origin == EPITOPE_CODE_OF_IMAGE || *origin == EPITOPE_CODE_UNPACKED;
    mapping->is_unpacked = *origin == EPITOPE_CODE_UNPACKED;
    if (mapping->is_explained) mapping->backing = EPITOPE_BACKING_IMAGE;
    else if (mapping->backing == EPITOPE_BACKING_IMAGE) mapping->backing = EPITOPE_BACKING_WRITTEN_IMAGE;
    mapping->may_be_written = 0;
    return 0;
}

static __always_inline int is_same_question(const struct epitope_question *one, const struct epitope_question *other)
{
    return one->callers_address == other->callers_address && one->content == other->content && one->inode == other->inode &&
        one->offset == other->offset && one->executions == other->executions && one->length == other->length &&
        one->device == other->device && one->kind == other->kind;
}

/* Asks the question in a scratch space, or waits for the answer. 0: it can't be asked, or nobody answered in time. */
__attribute__((noinline)) int is_waiting_for_answer(__u32 slot)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch) return 0;
    struct epitope_event *event = &scratch->event;
    const struct epitope_question *question = &scratch->asked.question;
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 process = task->tgid;
    __u64 now = bpf_ktime_get_boot_ns(), start_time = task->group_leader->start_boottime;
    struct epitope_asked *asked = bpf_map_lookup_elem(&questions, &process);
    if (asked && asked->start_time == start_time) {
        /* One question of a process at a time: another thread's has to be answered first. */
        if (now - asked->time < MAX_ANSWER_TIME) return 1;
        if (is_same_question(&asked->question, question)) {
            count(EPITOPE_COUNT_UNANSWERED);
            return 0;
        }
    } else if (bpf_map_lookup_elem(&answers, question)) {
        return 1;                        /* it was answered just now */
    }
    scratch->asked.time = now;
    scratch->asked.start_time = start_time;
    event->question = *question;
    /* The pages that were hashed are there still: the agent compares exactly these. */
    event->code_length = question->length;
    event->code_start = ((question->callers_address - 1) & ~(PAGE_SIZE - 1)) + PAGE_SIZE - question->length;
    event->finding = EPITOPE_FINDING_QUESTION;
    event->answer = EPITOPE_ANSWER_HELD;
    fill_event(slot);
    if (bpf_map_update_elem(&questions, &process, &scratch->asked, BPF_ANY) ||
        bpf_ringbuf_output(&events, event, EVENT_BYTES_WITHOUT_PAYLOAD, 0)) {
        bpf_map_delete_elem(&questions, &process);
        count(EPITOPE_COUNT_UNANSWERED);
        return 0;
    }
    count(EPITOPE_COUNT_HELD);
    return 1;
}

/* A process that ends waits for nothing. */
static __always_inline void forget_question_on_exit(struct task_struct *task)
{
    __u32 process = task->tgid;
    if (!BPF_CORE_READ(task, signal, live.counter)) bpf_map_delete_elem(&questions, &process);
}
