// SPDX-License-Identifier: Apache-2.0

/* A thin layer over libbpf: loads, attaches and configures the kernel program, and reads its events. Functions return 0 (or a
 * descriptor, or a count) on success and a negative errno on failure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../../bpf/include/epitope_event.h"
#include "../../../../bpf/include/epitope_maps.h"
#include "../../../../bpf/include/page_entries.h"
#include "../../../../bpf/include/syscalls.h"

struct epitope_program;

/* ---- kernel_features.c ---- */

/* How calls are seen, and whether they can be denied. */
enum epitope_level {
    EPITOPE_LEVEL_TRACEPOINTS = 0,
    EPITOPE_LEVEL_HOOKS = 1,
    EPITOPE_LEVEL_FMOD_RET = 2,
};

/* Whether the kernel supports EPITOPE_LEVEL_FMOD_RET: one program of the object file is loaded and attached for a moment. */
bool epitope_supports_fmod_ret(const void *object, size_t length);

/* ---- program.c: one agent's program ---- */

/* Places in the tables that all processes share. 0: as many as the program has by itself. */
struct epitope_limits {
    uint32_t marks, submitters, starters;
};

/* Loads the program from its object file's bytes and attaches it: it sets marks from now on, and judges calls once it is told to begin. The
 * classes say what each system call's number means (EPITOPE_SYSCALLS bytes each). `folder`, on a bpffs, is where the program is pinned, so
 * that it outlives this process, and from where it adopts what an earlier one left: marks, unread reports, counters; NULL: not pinned. On
 * failure `log` holds the end of what libbpf and the verifier printed. */
struct epitope_program *epitope_program_load(const void *object, size_t length, enum epitope_level level,
                                             const uint8_t *classes_64bit, const uint8_t *classes_32bit,
                                             const struct epitope_policy *policy, const struct epitope_limits *limits,
                                             const char *folder, char *log, size_t log_length, int *error);
/* Frees the program. What is pinned stays in force. */
void epitope_program_unload(struct epitope_program *program);
/* Marks the processes that existed before the program was loaded. */
int epitope_program_scan_processes(struct epitope_program *program);
/* Once there is room for marks again: looks at all processes anew, and stops inspecting those that counted as marked only because there
 * was none. */
int epitope_program_recover_marks(struct epitope_program *program);

/* ---- handover.c: from one agent to the next ---- */

/* From now on this program judges calls, and this process settles what becomes of the processes that it stops; at the same moment
 * the pinned program of an earlier agent stops judging. `before` receives what undo_begin restores. */
int epitope_program_begin(struct epitope_program *program, struct epitope_agent *before);
int epitope_program_undo_begin(struct epitope_program *program, const struct epitope_agent *before);
/* Removes from the folder what earlier agents pinned and this program doesn't share. Returns the number of unread reports among it, in a
 * format that this version can't read. */
int epitope_program_retire_others(struct epitope_program *program);
/* This process reads no more events; the program stays in force. Stops become the policy's answer without an agent. */
int epitope_program_leave(struct epitope_program *program);
/* Detaches the program: from now on no call is judged. Events can still be read, by this agent or the next. */
int epitope_program_detach(struct epitope_program *program);
/* Removes everything else that is pinned in the folder, unless it has another program. */
int epitope_program_remove_pins(struct epitope_program *program);

/* ---- maps.c ---- */

/* Replaces the policy in force. */
int epitope_program_set_policy(struct epitope_program *program, const struct epitope_policy *policy);
/* Sets an exclusion; NULL removes it. */
int epitope_program_set_exclusion(struct epitope_program *program, const struct epitope_exclusion_key *key,
                                  const struct epitope_exclusion *exclusion);
/* Treats a memory file as the image that it is a copy of. */
int epitope_program_add_copy(struct epitope_program *program, const struct epitope_file *file);
/* Sets the frame at a site, and a jump from one function to another. -E2BIG: the map is full. */
int epitope_program_set_frame(struct epitope_program *program, const struct epitope_site *site, const struct epitope_frame *frame);
int epitope_program_set_jump(struct epitope_program *program, const struct epitope_jump *jump);
/* Answers the question of a process: enum epitope_code_origin; 0: the answer is a frame that was set. */
int epitope_program_answer(struct epitope_program *program, uint32_t process, const struct epitope_question *question, uint32_t origin);
/* Whether there is room for another mark. */
bool epitope_program_has_room_for_marks(struct epitope_program *program);
/* The counters, EPITOPE_COUNTERS of them, summed over processors. */
int epitope_program_counters(struct epitope_program *program, uint64_t *counters);
/* The map of events, for a reader; valid as long as the program is. */
int epitope_program_events(const struct epitope_program *program);

/* ---- program_info.c ---- */

/* What one of its programs cost so far, where kernel.bpf_stats_enabled is set: runs, nanoseconds, and its length in translated
 * instructions. -ENOENT: there is no such program at this level. */
int epitope_program_cost(struct epitope_program *program, const char *name, uint64_t *runs, uint64_t *nanoseconds,
                         uint32_t *instructions);
/* The instructions of one of its programs as the kernel runs them, at most `capacity`. Returns how many there are. */
int epitope_program_instructions(struct epitope_program *program, const char *name, uint64_t *instructions, uint32_t capacity);

/* ---- ring_buffer.c: reads events in order; one reader at a time, on one thread at a time ---- */

struct epitope_ring_buffer;
struct epitope_ring_buffer *epitope_ring_buffer_open(int map, int *error);
void epitope_ring_buffer_close(struct epitope_ring_buffer *ring);
/* The next event, which stays in the buffer until it is released; NULL: there is none. `position` is what to release. */
const void *epitope_ring_buffer_next(struct epitope_ring_buffer *ring, size_t *length, uint64_t *position);
/* Returns to the first event that was not released: another reader may have worked since this one was opened. */
void epitope_ring_buffer_rewind(struct epitope_ring_buffer *ring);
/* Releases the room of an event and all before it. What was not released, the next reader reads again. */
void epitope_ring_buffer_release(struct epitope_ring_buffer *ring, uint64_t position);
/* Waits for an event, at most that long. Whether there may be one. */
bool epitope_ring_buffer_wait(struct epitope_ring_buffer *ring, int milliseconds);
/* The number of unread events in a map of events. */
int epitope_ring_buffer_count(int map);

/* Members of an event that are too large for Swift's importer, */
static inline const uint8_t *epitope_event_code(const struct epitope_event *event) { return event->code; }
static inline const uint8_t *epitope_event_payload(const struct epitope_event *event) { return event->payload; }
/* and the part that every event has: all but its payload, and of a repetition all but its code, too. */
static inline size_t epitope_event_min_bytes(void) { return offsetof(struct epitope_event, payload); }
static inline size_t epitope_repetition_bytes(void) { return offsetof(struct epitope_event, code); }

/* ---- pinned_program.c: what a folder has, whoever pinned it ---- */

struct epitope_pinned {
    uint32_t programs;             /* attached programs that judge calls, or set marks for them; 0: nothing is in force */
    uint32_t unread, unreadable;   /* reports; `unreadable`: in a format that this version can't read */
    bool has_counters;             /* false: they are of another version */
    struct epitope_agent agent;
    uint64_t counters[EPITOPE_COUNTERS];
};
int epitope_inspect_pinned(const char *folder, const void *object, size_t length, struct epitope_pinned *pinned);

/* ---- pinning.c ---- */

/* Ends what is pinned in a folder, and removes the folder. */
int epitope_release_pinned(const char *folder);
/* Whether a folder is on a bpffs. */
bool epitope_is_bpf_folder(const char *path);

/* ---- layout.c ---- */

/* Where the compiler of this side put a member, and where the kernel's side has it by the program's own type information; false:
 * there is no such member. */
struct epitope_layout { uint32_t offset, size; };
bool epitope_kernel_layout(const void *object, size_t length, const char *type, const char *member, struct epitope_layout *found);
/* The members that are compared: `index` from 0 on, until false. */
bool epitope_own_layout(size_t index, const char **type, const char **member, struct epitope_layout *layout);
