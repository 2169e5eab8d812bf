/* A thin shim over libbpf: the kernel program is loaded, attached, configured, and its events are read. Functions return
 * 0 (or a descriptor, or a count) on success and a negative errno on failure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../bpf/include/epitope_event.h"

struct epitope_program;

/* Where calls are seen. */
enum epitope_level {
    EPITOPE_LEVEL_TRACEPOINTS = 0,
    EPITOPE_LEVEL_HOOKS = 1,
    EPITOPE_LEVEL_FUNCTIONS = 2,
};

/* Whether the kernel allows EPITOPE_LEVEL_FUNCTIONS: one program of the object file is loaded and attached for a moment. */
bool epitope_kernel_lets_functions_be_decided(const void *object, size_t length);

/* Loads the program from its object file's bytes and attaches it. The classes say what each system call's number means
 * (EPITOPE_SYSCALLS bytes each). On failure `log` holds the end of what libbpf and the verifier said. */
struct epitope_program *epitope_program_load(const void *object, size_t length, enum epitope_level level,
                                             const uint8_t *wide_classes, const uint8_t *narrow_classes,
                                             const struct epitope_policy *policy, char *log, size_t log_length, int *error);
/* Detaches and frees. */
void epitope_program_unload(struct epitope_program *program);

/* Marks what came before the program. */
int epitope_program_find_marks(struct epitope_program *program);
/* Replaces the policy in force. */
int epitope_program_set_policy(struct epitope_program *program, const struct epitope_policy *policy);
/* Sets an excuse; NULL: takes it away. */
int epitope_program_excuse(struct epitope_program *program, const struct epitope_excuse_key *key, const struct epitope_excuse *excuse);
/* Holds a memory file to be the image that it is a copy of. */
int epitope_program_know_copy(struct epitope_program *program, const struct epitope_file *file);
/* Makes the frame at a site known. -E2BIG: there is no place for more. */
int epitope_program_set_frame(struct epitope_program *program, const struct epitope_site *site, uint32_t size);
/* The counters, EPITOPE_COUNTERS of them, summed over processors. */
int epitope_program_counters(struct epitope_program *program, uint64_t *counters);

/* Waits for events at most `milliseconds` and hands each over; the number of events. */
int epitope_program_poll(struct epitope_program *program, int milliseconds, void *context,
                         void (*take)(void *context, const struct epitope_event *event));

/* What one of its programs cost so far, where kernel.bpf_stats_enabled is set: runs, nanoseconds, and its length in
 * translated instructions. -ENOENT: no such program at this level. */
int epitope_program_cost(struct epitope_program *program, const char *name, uint64_t *runs, uint64_t *nanoseconds,
                         uint32_t *instructions);

/* The instructions of one of its programs as the kernel runs them, at most so many; how many there are. */
int epitope_program_instructions(struct epitope_program *program, const char *name, uint64_t *instructions, uint32_t room);

/* Arrays of an event that are too large for Swift's importer. */
static inline const uint8_t *epitope_event_code(const struct epitope_event *event) { return event->code; }
static inline const uint8_t *epitope_event_payload(const struct epitope_event *event) { return event->payload; }

/* Where the compiler of this side put a member, and where the kernel's side has it by the program's own type
 * information; false: no such member there. */
struct epitope_layout { uint32_t offset, size; };
bool epitope_kernel_layout(const void *object, size_t length, const char *type, const char *member, struct epitope_layout *found);
/* The members that are compared: `index` from 0 on, until false. */
bool epitope_own_layout(size_t index, const char **type, const char **member, struct epitope_layout *layout);
