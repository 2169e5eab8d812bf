// SPDX-License-Identifier: Apache-2.0

/* A thin shim over what Swift can't call: seccomp user notification, a child that starts under it, and the inspection
 * of a process whose call is stalled. Functions return 0 (or a count) on success and a negative errno on failure.
 * Constants that Debian 12's headers lack are defined in the sources, with the kernel version that brought them. */
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

struct epitope_command {
    const char *path;                   /* resolved: PATH isn't searched again */
    char *const *arguments;             /* NULL-terminated, the program's name first */
    char *const *environment;           /* NULL-terminated */
    int standard_input, standard_output, standard_error; /* -1: as the caller's */
    const struct epitope_filter_instruction *filter;
    uint16_t filter_length;
};

struct epitope_child {
    pid_t pid;
    int listener;                       /* the notifications; the caller closes it */
    int progress;                       /* for epitope_launch_finish, which closes it */
};

enum epitope_launch_failure {
    EPITOPE_LAUNCH_OK = 0,
    EPITOPE_LAUNCH_RESOURCES,           /* pipe or clone failed */
    EPITOPE_LAUNCH_FILTER,              /* the kernel refused the filter: errno says why */
    EPITOPE_LAUNCH_DESCRIPTORS,         /* the child could not set up its descriptors */
    EPITOPE_LAUNCH_EXEC,                /* the command could not be executed */
};

/* Starts a child that installs the filter on itself and then executes the command. When this returns OK, the child
 * is about to execute: that call is notified, so the listener must be served for epitope_launch_finish to return. */
enum epitope_launch_failure epitope_launch_start(const struct epitope_command *command, struct epitope_child *child,
                                                 int *error);
/* Waits until the command runs, or reaps the child when it could not be executed. */
enum epitope_launch_failure epitope_launch_finish(struct epitope_child *child, int *error);

/* This process's environment, NULL-terminated. */
char *const *epitope_environment(void);

/* Waits for the end of a child: 0 to 255 its exit status, or 256 + the signal that ended it. */
int epitope_wait(pid_t pid);

/* Passes on to `pid` every SIGINT, SIGTERM, SIGHUP and SIGQUIT that a process (not the terminal, which sends to the
 * whole foreground group itself) sends to this one. Process-wide; 0 ends it and restores what was there before. */
void epitope_forward_signals(pid_t pid);

/* ---- notify.c: the notifications ---- */

struct epitope_notification {
    uint64_t id;
    uint64_t instruction_pointer;
    uint64_t arguments[6];
    uint32_t thread;                    /* as seen from this process's pid namespace; 0: not visible from here */
    uint32_t audit_architecture;
    int32_t number;
};

/* Blocks for the next one. -ENOENT: no process is under the filter any more, or the one that called has gone. -ECANCELED:
 * `leaving` can be read, and nothing was received; negative: there is none. */
int epitope_notification_receive(int listener, int leaving, struct epitope_notification *notification);
/* Whether any process is left under the filter. */
bool epitope_listener_is_live(int listener);
int epitope_notification_continue(int listener, uint64_t id);
/* Makes the call fail with `error` (positive). */
int epitope_notification_deny(int listener, uint64_t id, int error);
/* Whether the call is stalled still: what was read of the process before this was the caller's. */
bool epitope_notification_is_valid(int listener, uint64_t id);
/* Whether a descriptor is one of seccomp notifications at all. */
bool epitope_is_listener(int descriptor);
/* Has the kernel hand the processor over at once (6.6 and later); -EINVAL where it can't. */
int epitope_listener_set_synchronous(int listener);

/* ---- process.c: a stalled process ---- */

struct epitope_registers {
    int64_t number;                     /* of the call that it is in; -1: blocked, but in no call */
    uint64_t arguments[6];
    uint64_t stack_pointer;
    uint64_t instruction_pointer;
};

/* Reads /proc/TID/syscall. -EBUSY: the thread is running, thus in no call. */
int epitope_read_registers(pid_t thread, struct epitope_registers *registers);
/* The same of an open /proc/TID/syscall. -ESRCH: the thread that it was opened for has gone, whoever has its number. */
int epitope_read_registers_from(int descriptor, struct epitope_registers *registers);
/* Opens a file of /proc/PID, close-on-exec. */
int epitope_open_process_file(pid_t process, const char *name, int flags);
/* The bytes that could be read from `address` on, which may be fewer than asked. */
ssize_t epitope_read_memory(pid_t process, uint64_t address, void *bytes, size_t length);
/* Writes whatever the page's protection, as a debugger does. The number of bytes written. */
ssize_t epitope_write_memory(pid_t process, uint64_t address, const void *bytes, size_t length);

struct epitope_mapping {
    uint64_t start, end, offset, inode;
    uint32_t device_major, device_minor;
    uint32_t flags;                     /* 1 read, 2 write, 4 execute, 8 shared */
    uint32_t name_length;
    char name[4096];
};

/* PROCMAP_QUERY (6.11) on an open /proc/PID/maps: the mapping at `address`, or with `next` the first executable one
 * at or after it. -ENOENT: there is none. -ENOTTY: the kernel has no such query. */
int epitope_query_mapping(int maps, uint64_t address, bool next, struct epitope_mapping *mapping);

struct epitope_span {
    uint64_t start, end, offset, inode;
    uint32_t device_major, device_minor;
    uint32_t flags;                     /* as in epitope_mapping */
};

/* The mapping at `address` without its name, which is what costs most. Errors as above. */
int epitope_query_nameless(int maps, uint64_t address, struct epitope_span *span);

/* Opens the file behind a mapping: through map_files (privileged), else `path` below the process's root, which may by
 * now be another file: compare its state with the mapping. */
int epitope_open_mapped_file(pid_t process, uint64_t start, uint64_t end, const char *path);

struct epitope_file_state {
    uint64_t inode, size;
    int64_t modified_seconds, modified_nanoseconds, changed_seconds, changed_nanoseconds;
    uint32_t device_major, device_minor;
};

/* -EINVAL: not a regular file. */
int epitope_file_state(int descriptor, struct epitope_file_state *state);

/* One entry of an open /proc/PID/pagemap. */
int epitope_read_page_entry(int pagemap, uint64_t address, uint64_t *entry);
/* The device of the kernel's internal shared-memory mount, where memfds live. */
int epitope_memory_file_device(uint32_t *device_major, uint32_t *device_minor);

/* Whether two processes have one address space; true where the kernel can't tell. */
bool epitope_shares_memory(pid_t one, pid_t other);

/* ---- handover.c: notifications that a container's runtime hands over (OCI runtime specification, config-linux.md,
 * "Seccomp", and runtime.md, "Container process state") ---- */

/* A UNIX stream socket at `name` in an open folder, listening, with mode 0600 from its first moment on; negative errno. */
int epitope_listen_in(int folder, const char *name);
/* 0 where something listens at `name` in an open folder; -ECONNREFUSED where its listener has gone; else negative errno. */
int epitope_try_connect(int folder, const char *name);
/* The next connection, close-on-exec; negative errno. */
int epitope_accept(int socket);
/* Who connected, as this process's namespaces number it; 0, or negative errno. */
int epitope_peer(int socket, pid_t *process, uid_t *user);

enum { EPITOPE_MOST_DESCRIPTORS = 16 };

/* Reads from a connection: the number of bytes, 0 at its end, negative errno. Descriptors that came along are added to
 * `descriptors`, close-on-exec. When there are more than fit, none is kept and -EMSGSIZE is returned. */
ssize_t epitope_receive(int socket, void *bytes, size_t length, int descriptors[EPITOPE_MOST_DESCRIPTORS], int *count);
/* How long epitope_receive waits at most; 0: for ever. */
int epitope_set_receive_timeout(int socket, int seconds);

/* ---- record.c: what the next agent has to know of a listener that it takes up ---- */

/* In a memory file of fixed size that both map, so that it holds whenever the one that writes it is killed. */
struct epitope_record {
    uint64_t magic;
    struct epitope_notification calls[2]; /* the ones that were received last: calls[last], and before it the other */
    uint64_t runtime_device, runtime_inode;
    uint8_t has_call, last, knows_runtime, has_started;
    uint32_t length;
    uint8_t message[];                  /* what its runtime said, as JSON */
};

/* Notes a call that was just received; a moment at which that is half done is none for who reads it. */
void epitope_record_call(struct epitope_record *record, const struct epitope_notification *call);
/* The call that was noted last; false: none was. */
bool epitope_record_last_call(const struct epitope_record *record, struct epitope_notification *call);
/* Makes one. The descriptor, or negative errno. */
int epitope_record_make(const void *message, uint32_t length, struct epitope_record **record);
/* Maps one that another process made. -EINVAL: it is none. */
int epitope_record_open(int descriptor, struct epitope_record **record);
void epitope_record_close(struct epitope_record *record);
/* A descriptor that a thread can await; it is once it was told so (eventfd(2)). Negative errno. */
int epitope_leaving_make(void);
int epitope_leaving_tell(int leaving);
