/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Reports to the agent. */
#pragma once

#include "extraction.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 << 20);
} events SEC(".maps");

/* Reports that were made. The least recently used are dropped, and then made again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct epitope_reported_call);
    __type(value, __u32);
} reported_calls SEC(".maps");

#define EVENT_BYTES_WITHOUT_PAYLOAD __builtin_offsetof(struct epitope_event, payload)

/* Whether a report was made. Only the used part of the payload is sent: most calls send little, and the room for unread reports is
 * bounded. */
static __always_inline int send_report(struct epitope_event *event, __u64 payload)
{
    struct epitope_reported_call key = {event->start_time, event->callers_address, event->process, event->call_number};
    __u32 once = 1;
    if (bpf_map_lookup_elem(&reported_calls, &key)) {
        count(EPITOPE_COUNT_REPEATED);
        return 0;
    }
    __u64 size = EVENT_BYTES_WITHOUT_PAYLOAD + payload;
    barrier_var(size);
    if (size > sizeof *event) size = sizeof *event;
    if (bpf_ringbuf_output(&events, event, size, 0)) {
        count(EPITOPE_COUNT_DROPPED);
        return 0;
    }
    bpf_map_update_elem(&reported_calls, &key, &once, BPF_ANY);
    count(EPITOPE_COUNT_REPORTED);
    return 1;
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
    fill_event(slot);
    if (bpf_ringbuf_output(&events, event, EVENT_BYTES_WITHOUT_PAYLOAD, 0)) count(EPITOPE_COUNT_DROPPED);
}
