/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Reports to the agent. */
#pragma once

#include "extraction.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 << 20);
} events SEC(".maps");

/* Reports that were made. The least recently used are dropped, and then made again.
 *
 * A call site is reported again when other code makes the call there: a harmless one first must not hide the one that follows. The value
 * of the code right at the caller (`code` is its hash) is how many different surroundings it was reported with: programs keep data beside
 * their code, which is another with every call, so that is bounded. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct epitope_reported_call);
    __type(value, __u32);
} reported_calls SEC(".maps");

enum { MAX_SURROUNDINGS = 8, NEAR_CODE_BYTES = 128 };

/* FNV-1a, by words instead of bytes (Fowler, Noll, Vo; draft-eastlake-fnv). It needn't resist collisions that somebody seeks: who finds
 * one hides a report, not a call. */
#define HASH_OFFSET 0xcbf29ce484222325ull
#define HASH_PRIME 0x100000001b3ull

static __always_inline __u64 hashed(__u64 hash, __u64 word)
{
    hash = (hash ^ word) * HASH_PRIME;
    return hash ^ hash >> 29;
}

static long hash_word(__u32 index, void *context)
{
    __u32 slot = *(__u32 *)context;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &slot);
    if (!scratch || index >= EPITOPE_CODE_BYTES / 8) return 1;
    struct epitope_event *event = &scratch->event;
    __u64 word = ((const __u64 *)event->code)[index], address = event->code_start + 8 * index;
    scratch->code_hash = hashed(scratch->code_hash, word);
    if (address + NEAR_CODE_BYTES >= scratch->code_place && address < scratch->code_place + NEAR_CODE_BYTES)
        scratch->code_hash_near_caller = hashed(scratch->code_hash_near_caller, word);
    return 0;
}

static __always_inline void hash_code(struct scratch *scratch, __u32 slot)
{
    const struct epitope_event *event = &scratch->event;
    scratch->code_hash = HASH_OFFSET;
    /* What a packed program unpacked is called by other code with other evidence. */
    scratch->code_hash_near_caller = hashed(hashed(hashed(HASH_OFFSET, event->deeper_address), event->stack_code.start), event->stack_code.end);
    bpf_loop(scratch->event.code_length / 8, hash_word, &slot, 0);
}

/* Whether a call is reported for the first time: by this site of this process, with this code. */
static __always_inline int is_new_report(struct scratch *scratch, __u32 slot)
{
    struct epitope_event *event = &scratch->event;
    hash_code(scratch, slot);
    struct epitope_reported_call key = {
        event->start_time, event->callers_address, scratch->code_hash_near_caller, event->process, event->call_number};
    __u32 *surroundings = bpf_map_lookup_elem(&reported_calls, &key);
    if (!surroundings) return 1;
    if (*surroundings >= MAX_SURROUNDINGS) return 0;
    key.code = hashed(scratch->code_hash_near_caller, scratch->code_hash);
    return !bpf_map_lookup_elem(&reported_calls, &key);
}

static __always_inline void remember_report(const struct scratch *scratch)
{
    const struct epitope_event *event = &scratch->event;
    struct epitope_reported_call key = {
        event->start_time, event->callers_address, scratch->code_hash_near_caller, event->process, event->call_number};
    __u32 once = 1, *surroundings = bpf_map_lookup_elem(&reported_calls, &key);
    if (surroundings) __sync_fetch_and_add(surroundings, 1);
    else bpf_map_update_elem(&reported_calls, &key, &once, BPF_ANY);
    key.code = hashed(scratch->code_hash_near_caller, scratch->code_hash);
    bpf_map_update_elem(&reported_calls, &key, &once, BPF_ANY);
}

#define EVENT_BYTES_WITHOUT_CODE __builtin_offsetof(struct epitope_event, code)
#define EVENT_BYTES_WITHOUT_PAYLOAD __builtin_offsetof(struct epitope_event, payload)

/* Whether a report was made. Only the used part of the payload is sent: most calls send little, and the room for unread reports is
 * bounded. */
static __always_inline int send_report(struct scratch *scratch)
{
    struct epitope_event *event = &scratch->event;
    __u64 size = EVENT_BYTES_WITHOUT_PAYLOAD + scratch->message_cursor.used;
    barrier_var(size);
    if (size > sizeof *event) size = sizeof *event;
    if (bpf_ringbuf_output(&events, event, size, 0)) {
        count(EPITOPE_COUNT_DROPPED);
        return 0;
    }
    remember_report(scratch);
    count(EPITOPE_COUNT_REPORTED);
    return 1;
}

/* Tells the agent of a call that was reported before and is stopped all the same, for it to overwrite the code. Whether it is told. */
static __always_inline int send_repetition(struct scratch *scratch)
{
    struct epitope_event *event = &scratch->event;
    event->is_repeated = 1;
    event->code_length = 0;
    event->piece_count = 0;
    if (!bpf_ringbuf_output(&events, event, EVENT_BYTES_WITHOUT_CODE, 0)) return 1;
    count(EPITOPE_COUNT_DROPPED);
    return 0;
}

/* Reports that a program started whose image is a memory file: it may be a sealed copy of an image. */
static __always_inline void report_program(struct task_struct *task, __u32 slot, struct scratch *scratch)
{
    struct inode *program = BPF_CORE_READ(task, mm, exe_file, f_inode);
    struct epitope_event *event = &scratch->event;
    struct mapping *mapping = &scratch->mappings[CALLER_MAPPING];
    if (!program || !is_memory_file(program)) return;
    __builtin_memset(event, 0, __builtin_offsetof(struct epitope_event, region));
    __builtin_memset(mapping, 0, sizeof *mapping);
    mapping->inode = BPF_CORE_READ(program, i_ino);
    mapping->device = BPF_CORE_READ(program, i_sb, s_dev);
    mapping->generation = BPF_CORE_READ(program, i_generation);
    mapping->backing = EPITOPE_BACKING_MEMORY_FILE;
    event->finding = EPITOPE_FINDING_PROGRAM;
    event->call_class = EPITOPE_CLASS_EXEC;
    event->call_number = NR64_EXECVE;
    __builtin_memset(&event->program, 0, sizeof event->program);
    __builtin_memset(&event->region_file, 0, sizeof event->region_file);
    fill_event(slot);
    if (bpf_ringbuf_output(&events, event, EVENT_BYTES_WITHOUT_PAYLOAD, 0)) count(EPITOPE_COUNT_DROPPED);
}
