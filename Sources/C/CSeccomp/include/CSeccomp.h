// SPDX-License-Identifier: Apache-2.0

/* A thin layer over system calls that Swift can't make: seccomp user notification, starting a child under a filter, and inspecting
 * a process whose call is stalled. Functions return 0 (or a count) on success and a negative errno on failure. Constants that
 * Debian 12's headers lack are defined in the sources, with the kernel version that introduced them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- launch.c: a command under a filter ---- */

/* One instruction of a classic BPF program; the layout of struct sock_filter. */
struct epitope_filter_instruction {
    uint16_t code;
    uint8_t jump_true;
    uint8_t jump_false;
    uint32_t operand;
};

/* The user that a command becomes. */
struct epitope_user {
    uid_t user;
    gid_t group;
    const gid_t *groups;
    size_t group_count;
};

struct epitope_command {
    const char *path;                   /* PATH is not searched */
    char *const *arguments;             /* NULL-terminated, the program's name first */
    char *const *environment;           /* NULL-terminated */
    int standard_input, standard_output, standard_error; /* -1: the caller's */
    const struct epitope_filter_instruction *filter;
    uint16_t filter_length;
    const struct epitope_user *user;    /* NULL: the caller's */
    bool confined;                      /* in a Landlock domain, out of which it reaches no process (epitope_can_confine) */
};

struct epitope_child {
    pid_t pid;
    int listener;                       /* of notifications; the caller closes it */
    int progress;                       /* passed to epitope_launch_finish, which closes it */
};

enum epitope_launch_failure {
    EPITOPE_LAUNCH_OK = 0,
    EPITOPE_LAUNCH_RESOURCES,           /* pipe or clone failed */
    EPITOPE_LAUNCH_FILTER,              /* the kernel refused the filter; `error` is the reason */
    EPITOPE_LAUNCH_DESCRIPTORS,         /* the child could not set up its file descriptors */
    EPITOPE_LAUNCH_CONFINEMENT,         /* the Landlock domain could not be made */
    EPITOPE_LAUNCH_USER,                /* the child could not become the user */
    EPITOPE_LAUNCH_EXEC,                /* the command could not be executed */
};

/* Starts a child that installs the filter on itself and then executes the command. When this returns OK, the child is about to call
 * execve, which is notified: epitope_launch_finish returns only if the listener is served meanwhile. */
enum epitope_launch_failure epitope_launch_start(const struct epitope_command *command, struct epitope_child *child,
                                                 int *error);
/* Waits until the command runs, or reaps the child when it could not be executed. */
enum epitope_launch_failure epitope_launch_finish(struct epitope_child *child, int *error);

/* Whether the kernel has Landlock domains that restrict nothing but reaching out (6.12). */
bool epitope_can_confine(void);
/* Closes this process's memory to others of its user, and has orphans of its children become its own children, so that what it
 * started can be told by descent. 0, or negative errno. */
int epitope_guard_self(void);

/* Has this process live on when its output is lost: by a pipe that nobody reads any more (SIGPIPE), or a file that has reached the
 * limit on its size (SIGXFSZ). Commands get these signals as this process was started with them. */
void epitope_outlive_output(void);

/* Raises this program's own limits on open files, the length of files and processor time as far as it may: it serves the command,
 * and must not end by limits that were meant for that. The command gets those with which this program was started. */
void epitope_raise_limits(void);

/* This process's environment, NULL-terminated. */
char *const *epitope_environment(void);

/* Waits until some child has ended, and leaves it to be waited for. Its id; -ECHILD: there is no child. */
pid_t epitope_ended_child(void);
/* Waits until a child ends: its exit status, 0 to 255, or 256 + the signal that killed it. */
int epitope_wait(pid_t pid);

/* ---- forward_signals.c ---- */

/* Forwards to `pid` every SIGINT, SIGTERM, SIGHUP and SIGQUIT that a process sends to this one; not those of the terminal, which
 * sends them to the whole foreground group. Process-wide; 0 ends it and restores the previous handlers. */
void epitope_forward_signals(pid_t pid);

/* ---- notify.c: notifications ---- */

struct epitope_notification {
    uint64_t id;
    uint64_t instruction_pointer;
    uint64_t arguments[6];
    uint32_t thread;                    /* in this process's PID namespace; 0: not visible there */
    uint32_t audit_architecture;
    int32_t number;
};

/* Waits for the next notification. -ENOENT: no process is under the filter any more, or the caller has gone. -ECANCELED:
 * `handover_event` was signalled, and nothing was received. `handover_event` may be negative: none. */
int epitope_notification_receive(int listener, int handover_event, struct epitope_notification *notification);
/* Whether any process is still under the filter. */
bool epitope_listener_is_live(int listener);
int epitope_notification_continue(int listener, uint64_t id);
/* Makes the call fail with `error` (positive). */
int epitope_notification_deny(int listener, uint64_t id, int error);
/* Whether the call is still stalled. If so, what was read of the process before belongs to the caller. */
bool epitope_notification_is_valid(int listener, uint64_t id);
/* Whether a descriptor is a listener of seccomp notifications. */
bool epitope_is_listener(int descriptor);
/* Makes the kernel switch to the listening thread at once (6.6 and later); -EINVAL where it can't. */
int epitope_listener_set_synchronous(int listener);

/* ---- process.c: a stalled process ---- */

struct epitope_registers {
    int64_t number;                     /* of the current system call; -1: blocked outside of a call */
    uint64_t arguments[6];
    uint64_t stack_pointer;
    uint64_t instruction_pointer;
};

/* Reads /proc/TID/syscall. -EBUSY: the thread is running, so it is not in a blocked call. */
int epitope_read_registers(pid_t thread, struct epitope_registers *registers);
/* The same for an open /proc/TID/syscall. -ESRCH: the thread that it was opened for has gone, even if its ID was reused. */
int epitope_read_registers_from(int descriptor, struct epitope_registers *registers);
/* Opens a file of /proc/PID, close-on-exec. */
int epitope_open_process_file(pid_t process, const char *name, int flags);
/* Reads memory from `address` on. Returns the number of bytes read, which may be fewer than requested. */
ssize_t epitope_read_memory(pid_t process, uint64_t address, void *bytes, size_t length);
/* So many bytes from an address on. */
struct epitope_range {
    uint64_t address, length;
};
/* Reads ranges of memory into one buffer, one after the other. Returns the number of bytes read, which is less than all of
 * them where one can't be read. */
ssize_t epitope_read_ranges(pid_t process, const struct epitope_range *ranges, size_t count, void *bytes);
/* Writes memory regardless of the page's protection, as a debugger does. Returns the number of bytes written. */
ssize_t epitope_write_memory(pid_t process, uint64_t address, const void *bytes, size_t length);

/* The number of the calling thread. */
pid_t epitope_thread_id(void);

/* Whether two processes share one address space; true where the kernel can't determine it. */
bool epitope_shares_memory(pid_t one, pid_t other);

/* ---- mappings.c ---- */

struct epitope_mapping {
    uint64_t start, end, offset, inode;
    uint32_t device_major, device_minor;
    uint32_t flags;                     /* 1 read, 2 write, 4 execute, 8 shared */
    uint32_t name_length;
    char name[4096];
};

/* PROCMAP_QUERY (Linux 6.11) on an open /proc/PID/maps: the mapping at `address` or, with `next`, the first executable one at or
 * after it. -ENOENT: there is none. -ENOTTY: the kernel doesn't support the query. */
int epitope_query_mapping(int maps, uint64_t address, bool next, struct epitope_mapping *mapping);

struct epitope_span {
    uint64_t start, end, offset, inode;
    uint32_t device_major, device_minor;
    uint32_t flags;                     /* as in epitope_mapping */
};

/* The mapping at `address` without its name, which is the expensive part. Errors as above. */
int epitope_query_span(int maps, uint64_t address, struct epitope_span *span);

/* The first executable mapping at or after `address`, without its name. Errors as above. */
int epitope_query_next_code(int maps, uint64_t address, struct epitope_span *span);

/* Whether any process has an open file open or mapped for writing: 1 or 0, negative errno where the file system or the file's
 * owner doesn't allow the question. The descriptor must be open for reading alone. */
int epitope_is_open_for_writing(int descriptor);
/* When an open file was made; -ENOTSUP where the file system doesn't keep it. */
int epitope_birth_time(int descriptor, int64_t *seconds, uint32_t *nanoseconds);
/* Opens /proc/PID/task for nothing but the next function. */
int epitope_open_threads(pid_t process);
/* How many threads a process has, by its open /proc/PID/task. */
int epitope_thread_count(int task_folder);

/* Opens the file of a mapping: through map_files (privileged), else `path` below the process's root, which may meanwhile be another
 * file: compare its state with the mapping. */
int epitope_open_mapped_file(pid_t process, uint64_t start, uint64_t end, const char *path);

/* Reads one entry of an open /proc/PID/pagemap. */
int epitope_read_page_entry(int pagemap, uint64_t address, uint64_t *entry);
/* The device of the kernel's internal shared-memory mount, where memfds live. */
int epitope_memory_file_device(uint32_t *device_major, uint32_t *device_minor);

/* ---- handover.c: listeners that container runtimes hand over (OCI runtime specification, config-linux.md, "Seccomp", and
 * runtime.md, "Container process state") ---- */

/* Creates a listening UNIX stream socket at `name` in an open folder, with mode 0600 from the start; negative errno. */
int epitope_listen_in(int folder, const char *name);
/* 0: a process listens at `name` in an open folder. -ECONNREFUSED: its listener has gone. Else negative errno. */
int epitope_try_connect(int folder, const char *name);
/* The next connection, close-on-exec; negative errno. */
int epitope_accept(int socket);
/* The process and user that connected, by their IDs in this process's namespaces; 0, or negative errno. */
int epitope_peer(int socket, pid_t *process, uid_t *user);

enum { EPITOPE_MAX_DESCRIPTORS = 16 };

/* Reads from a connection: the number of bytes, 0 at its end, negative errno. Descriptors that were passed along are appended to
 * `descriptors`, close-on-exec. If there are more than fit, all are closed and -EMSGSIZE is returned. */
ssize_t epitope_receive(int socket, void *bytes, size_t length, int descriptors[EPITOPE_MAX_DESCRIPTORS], int *count);
/* The longest that epitope_receive waits; 0: no limit. */
int epitope_set_receive_timeout(int socket, int seconds);

/* ---- record.c: what the next agent needs to know of a listener that it adopts ---- */

/* In a memory file of fixed size that both map, so that it is valid whenever its writer is killed. */
struct epitope_record {
    uint64_t magic;
    struct epitope_notification calls[2]; /* the last two received: calls[last], and the one before it */
    uint64_t runtime_device, runtime_inode;
    uint8_t has_call, last, knows_runtime, has_started;
    uint32_t length;
    uint8_t message[];                  /* the runtime's message, JSON */
};

/* Records a call that was just received. Readers see it completely or not at all. */
void epitope_record_call(struct epitope_record *record, const struct epitope_notification *call);
/* The last recorded call; false: there is none. */
bool epitope_record_last_call(const struct epitope_record *record, struct epitope_notification *call);
/* Creates a record. The descriptor, or negative errno. */
int epitope_record_make(const void *message, uint32_t length, struct epitope_record **record);
/* Maps a record that another process created. -EINVAL: it is not a record. */
int epitope_record_open(int descriptor, struct epitope_record **record);
void epitope_record_close(struct epitope_record *record);
/* An event that tells a waiting thread to hand its listener over to the next agent (eventfd(2)). The descriptor, or negative errno. */
int epitope_handover_event_create(void);
int epitope_handover_event_signal(int handover_event);
