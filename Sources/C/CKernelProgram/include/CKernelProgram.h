// SPDX-License-Identifier: Apache-2.0

/* A thin shim over libbpf: the kernel program is loaded, attached, configured, and its events are read. Functions return
 * 0 (or a descriptor, or a count) on success and a negative errno on failure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../../bpf/include/epitope_event.h"

struct epitope_program;

/* Where calls are seen. */
enum epitope_level {
    EPITOPE_LEVEL_TRACEPOINTS = 0,
    EPITOPE_LEVEL_HOOKS = 1,
    EPITOPE_LEVEL_FUNCTIONS = 2,
};

/* Whether the kernel allows EPITOPE_LEVEL_FUNCTIONS: one program of the object file is loaded and attached for a moment. */
bool epitope_kernel_lets_functions_be_decided(const void *object, size_t length);

/* Loads the program from its object file's bytes and attaches it: it marks from now on, and judges when it is told to
 * begin. The classes say what each system call's number means (EPITOPE_SYSCALLS bytes each). `folder`, on a bpffs, is
 * where the program is held, so that it outlives this process, and from where it takes up what an earlier one left: marks,
 * reports that nobody read, counters; NULL: nowhere. On failure `log` holds the end of what libbpf and the verifier
 * said. */
struct epitope_program *epitope_program_load(const void *object, size_t length, enum epitope_level level,
                                             const uint8_t *wide_classes, const uint8_t *narrow_classes,
                                             const struct epitope_policy *policy, const char *folder, char *log,
                                             size_t log_length, int *error);
/* This program judges from now on, and this process settles what it holds: at the same moment the program of an earlier agent
 * that is held in the folder stops judging. `before` is what to give to undo_begin, which makes it as it was. */
int epitope_program_begin(struct epitope_program *program, struct epitope_agent *before);
int epitope_program_undo_begin(struct epitope_program *program, const struct epitope_agent *before);
/* Takes away what earlier agents left in the folder and this program doesn't share. The number of reports among it that
 * nobody read, of a version that means something else by their bytes; negative errno. */
int epitope_program_retire_others(struct epitope_program *program);
/* This process reads no more; the program goes on. What needs an agent gets the policy's other answer. */
int epitope_program_leave(struct epitope_program *program);
/* Takes the program away: from now on nothing is judged. Events can still be read, by the next agent if not by this one. */
int epitope_program_detach(struct epitope_program *program);
/* Takes away what else is held in the folder, if no other program is. */
int epitope_program_forget(struct epitope_program *program);
/* Frees. What is held in a folder stays in force. */
void epitope_program_unload(struct epitope_program *program);

/* Marks what came before the program. */
int epitope_program_find_marks(struct epitope_program *program);
/* Replaces the policy in force. */
int epitope_program_set_policy(struct epitope_program *program, const struct epitope_policy *policy);
/* Sets an exclusion; NULL: takes it away. */
int epitope_program_exclusion(struct epitope_program *program, const struct epitope_exclusion_key *key, const struct epitope_exclusion *exclusion);
/* Holds a memory file to be the image that it is a copy of. */
int epitope_program_know_copy(struct epitope_program *program, const struct epitope_file *file);
/* Makes the frame at a site known. -E2BIG: there is no place for more. */
int epitope_program_set_frame(struct epitope_program *program, const struct epitope_site *site, uint32_t size);
/* The counters, EPITOPE_COUNTERS of them, summed over processors. */
int epitope_program_counters(struct epitope_program *program, uint64_t *counters);

/* The events' map, for a reader; as long as the program is there. */
int epitope_program_events(const struct epitope_program *program);

/* Reads events in their order. One reader at a time, on one thread at a time. */
struct epitope_ring;
struct epitope_ring *epitope_ring_open(int map, int *error);
void epitope_ring_close(struct epitope_ring *ring);
/* The next event, which stays where it is until its room is given back; NULL: none is there. `place` is for that. */
const void *epitope_ring_take(struct epitope_ring *ring, size_t *length, uint64_t *place);
/* Goes to the first event whose room was not given back: another reader may have worked since this one was opened. */
void epitope_ring_restart(struct epitope_ring *ring);
/* Gives back the room of an event and all before it. What was not given back, the next reader reads again. */
void epitope_ring_give_back(struct epitope_ring *ring, uint64_t place);
/* Waits for an event, at most so long. Whether one may be there. */
bool epitope_ring_wait(struct epitope_ring *ring, int milliseconds);
/* How many events wait in the events' map; negative errno. */
int epitope_ring_count(int map);

/* What is held in a folder, whoever left it there. */
struct epitope_held {
    uint32_t programs;             /* attached programs that judge, or mark for them; 0: nothing is in force */
    uint32_t unread, unreadable;   /* reports; `unreadable`: of a version that means something else by their bytes */
    bool has_counters;             /* false: they are of another version */
    struct epitope_agent agent;
    uint64_t counters[EPITOPE_COUNTERS];
};
int epitope_look_at_held(const char *folder, const void *object, size_t length, struct epitope_held *held);
/* Ends what is held in a folder, and removes it. */
int epitope_release_held(const char *folder);
/* Whether a folder is on a bpffs. */
bool epitope_is_bpf_folder(const char *path);
/* The counters of a map, summed over processors. */
int epitope_sum_counters(int map, uint64_t *counters);

/* What one of its programs cost so far, where kernel.bpf_stats_enabled is set: runs, nanoseconds, and its length in
 * translated instructions. -ENOENT: no such program at this level. */
int epitope_program_cost(struct epitope_program *program, const char *name, uint64_t *runs, uint64_t *nanoseconds,
                         uint32_t *instructions);

/* The instructions of one of its programs as the kernel runs them, at most so many; how many there are. */
int epitope_program_instructions(struct epitope_program *program, const char *name, uint64_t *instructions, uint32_t room);

/* Arrays of an event that are too large for Swift's importer. */
static inline const uint8_t *epitope_event_code(const struct epitope_event *event) { return event->code; }
/* What every event has: all but its payload. */
static inline size_t epitope_event_least(void) { return offsetof(struct epitope_event, payload); }
static inline const uint8_t *epitope_event_payload(const struct epitope_event *event) { return event->payload; }

/* Where the compiler of this side put a member, and where the kernel's side has it by the program's own type
 * information; false: no such member there. */
struct epitope_layout { uint32_t offset, size; };
bool epitope_kernel_layout(const void *object, size_t length, const char *type, const char *member, struct epitope_layout *found);
/* The members that are compared: `index` from 0 on, until false. */
bool epitope_own_layout(size_t index, const char **type, const char **member, struct epitope_layout *layout);
