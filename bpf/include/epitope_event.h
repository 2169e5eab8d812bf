/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the kernel program and the agent share: constants and the layouts of what passes between them. Both sides include
 * this file; KernelBackendTests compare the layouts that each compiler made of it. */
#pragma once

#ifdef EPITOPE_BPF
typedef __u8 epitope_u8;
typedef __u16 epitope_u16;
typedef __u32 epitope_u32;
typedef __u64 epitope_u64;
typedef __s64 epitope_i64;
#else
#include <stdint.h>
typedef uint8_t epitope_u8;
typedef uint16_t epitope_u16;
typedef uint32_t epitope_u32;
typedef uint64_t epitope_u64;
typedef int64_t epitope_i64;
#endif

enum {
    EPITOPE_CODE_BYTES = 8192,     /* a region of at most this goes whole (DESIGN.md, "sendable") */
    EPITOPE_SIDE_BYTES = 4096,     /* of a larger one, on each side of the caller's address */
    EPITOPE_STACK_WORDS = 512,     /* looked through for the caller */
    EPITOPE_KEPT_WORDS = 64,       /* of the stack, in an event */
    EPITOPE_PAYLOAD_BYTES = 8192,  /* of what was about to be sent */
    EPITOPE_PIECES = 32,           /* of memory that it was to be gathered from, over all messages of a call */
    EPITOPE_PATH_BYTES = 256,
    EPITOPE_ADDRESS_BYTES = 128,   /* struct sockaddr_storage */
    EPITOPE_SYSCALLS = 512,
    EPITOPE_EXCLUSIONS = 4096,
    EPITOPE_SITES = 131072,        /* of C libraries, whose frames are known; one library has some 30,000 */
    EPITOPE_COPIES = 256,          /* sealed copies of images that are known */
};

/* What a system call's number means to the program. */
enum epitope_class {
    EPITOPE_CLASS_NONE = 0,
    EPITOPE_CLASS_EXEC,
    EPITOPE_CLASS_CONNECT,
    EPITOPE_CLASS_SEND,
    EPITOPE_CLASS_SERVE,
    EPITOPE_CLASS_WRITE,           /* a send where the descriptor is a socket */
    EPITOPE_CLASS_SOCKETCALL,      /* 32-bit: the first argument names the call */
    EPITOPE_CLASS_SUBMIT,          /* io_submit: a send where a request's descriptor is a socket */
    EPITOPE_CLASS_RING,            /* io_uring_enter: may send or connect; io_uring_setup, where the kernel is to poll */
    EPITOPE_CLASS_MAP,
    EPITOPE_CLASS_PROTECT,
    EPITOPE_CLASS_ATTACH,          /* shmat */
    EPITOPE_CLASS_PERSONALITY,
    EPITOPE_CLASS_TRACE,           /* ptrace */
    EPITOPE_CLASS_WRITE_OTHER,     /* process_vm_writev */
    EPITOPE_CLASS_SEEK,            /* lseek: to write a process's memory, its file is set to an address */
    EPITOPE_CLASS_WRITE_AT,        /* a write at a position: the same */
    EPITOPE_CLASS_IPC,             /* 32-bit: the first argument names the call */
};

/* What stands behind a piece of memory, as far as the kernel program tells. */
enum epitope_backing {
    EPITOPE_BACKING_NONE = 0,      /* nothing is mapped there */
    EPITOPE_BACKING_IMAGE,
    EPITOPE_BACKING_KERNEL,        /* the vdso */
    EPITOPE_BACKING_ANONYMOUS,
    EPITOPE_BACKING_STACK,
    EPITOPE_BACKING_HEAP,
    EPITOPE_BACKING_MEMORY_FILE,
    EPITOPE_BACKING_WRITTEN_IMAGE, /* a private page of an image that was written */
};

/* Why an event is sent. */
enum epitope_finding {
    EPITOPE_FINDING_DIRECT = 1,        /* the call's own instruction lies in unbacked memory */
    EPITOPE_FINDING_LIBRARY = 2,       /* the code that called the library does */
    EPITOPE_FINDING_DEEPER = 3,        /* a return address further up the stack does */
    EPITOPE_FINDING_UNATTRIBUTABLE = 4,/* a ring's worker in the kernel, for a process with unbacked executable memory */
    EPITOPE_FINDING_UNINSPECTABLE = 5, /* the address space was busy, or the stack isn't there */
    EPITOPE_FINDING_PROGRAM = 6,       /* no call: a program began whose image is a memory file (`region`) */
};

/* What was done about the call in the kernel. */
enum epitope_answer {
    EPITOPE_ANSWER_PASSED = 0,
    EPITOPE_ANSWER_DENIED = 1,
    EPITOPE_ANSWER_STOPPED = 2,        /* SIGSTOP was sent to the process; its call goes on first (tracepoints) */
    EPITOPE_ANSWER_KILLED = 3,
};

/* Kinds of evidence that policy can exclude, as bits. */
enum epitope_kind {
    EPITOPE_KIND_DIRECT = 1 << 0,
    EPITOPE_KIND_LIBRARY = 1 << 1,
    EPITOPE_KIND_WRITTEN_IMAGE = 1 << 2,
    EPITOPE_KIND_MEMORY_FILE = 1 << 3,
    EPITOPE_KIND_DEEPER = 1 << 4,
    EPITOPE_KIND_UNATTRIBUTABLE = 1 << 5,
    EPITOPE_KIND_UNINSPECTABLE = 1 << 6,
    EPITOPE_KIND_SENDS_ITSELF = 1 << 7,
};

struct epitope_region {
    epitope_u64 start, end;
    epitope_u64 inode;
    epitope_u32 device;                /* as the kernel encodes it: major << 20 | minor */
    epitope_u8 protection;             /* 1 read, 2 write, 4 execute, 8 shared */
    epitope_u8 backing;                /* enum epitope_backing */
    epitope_u8 may_be_written;         /* a private image mapping some page of which was written */
    epitope_u8 is_loader;              /* the dynamic loader */
    epitope_u32 generation, unused;    /* of a memory file's inode, whose number may be given out anew */
};

/* A memory file for good: no other has had, or will have, all three. */
struct epitope_file {
    epitope_u64 inode;
    epitope_u32 device, generation;
};

struct epitope_socket_state {          /* of the descriptor that the call names; family 0: none, or no IP socket */
    epitope_u16 family, type;          /* AF_*, SOCK_* */
    epitope_u16 local_port, peer_port; /* in host byte order */
    epitope_u8 local[16], peer[16];    /* IPv4: the first four */
};

/* A piece of memory that was to be sent. */
struct epitope_piece {
    epitope_u64 address, length;
    epitope_u32 place, copied;         /* its first bytes, in the event's payload */
    epitope_u32 message, unused;       /* of the call's messages */
};

struct epitope_event {
    epitope_u64 time;                  /* nanoseconds of CLOCK_BOOTTIME */
    epitope_u64 start_time;            /* of the process, nanoseconds of CLOCK_BOOTTIME: with its number, who it was */
    epitope_u64 cgroup;
    epitope_u64 instruction_pointer, stack_pointer;
    epitope_u64 callers_address;
    epitope_u64 deeper_address;        /* of EPITOPE_FINDING_DEEPER: the return address in unbacked memory, `region` */
    epitope_u64 arguments[6];
    epitope_u64 registers[16];         /* ax bx cx dx si di bp sp r8 ... r15 */
    epitope_u64 code_start;
    epitope_u64 payload_length;        /* of all pieces */
    epitope_u32 process, thread, user;
    epitope_u32 call_class;            /* enum epitope_class */
    epitope_u32 call_number;
    epitope_u32 is_narrow;             /* a 32-bit call */
    epitope_u32 is_narrow_code;        /* by 32-bit code */
    epitope_u32 finding, answer;
    epitope_u32 code_length, piece_count, address_length, stack_count;
    epitope_u32 is_hook;               /* seen by a security hook, else by a tracepoint */
    epitope_u32 subcall;               /* of socketcall; its arguments are those above */
    epitope_u32 excluded;               /* EPITOPE_KIND_* that don't count for the process */
    struct epitope_region region;      /* of the caller's address */
    struct epitope_region library;     /* of the instruction pointer */
    struct epitope_socket_state socket;
    char command[16];
    epitope_u8 address[EPITOPE_ADDRESS_BYTES];
    char path[EPITOPE_PATH_BYTES];     /* of an exec-like call */
    struct epitope_piece pieces[EPITOPE_PIECES];
    epitope_u64 stack[EPITOPE_KEPT_WORDS];
    epitope_u8 code[EPITOPE_CODE_BYTES];
    epitope_u8 payload[EPITOPE_PAYLOAD_BYTES]; /* an event ends with the last of it that is used */
};

/* The policy in force, one value that is replaced as a whole. */
struct epitope_policy {
    epitope_u32 act_on;                /* kinds of evidence that are acted upon, EPITOPE_KIND_* */
    epitope_u32 report_on;             /* kinds that are reported */
    epitope_u32 answer;                /* enum epitope_answer for what is acted upon */
    epitope_u32 otherwise;             /* the answer where nobody would settle what is stopped: no report, or no agent */
    epitope_u32 unused[4];
};

/* What a program is given before it is loaded. */
struct epitope_constants {
    epitope_u8 classes[2][EPITOPE_SYSCALLS]; /* what a number means: 64-bit, 32-bit */
    epitope_u32 generation;            /* one agent's programs have one; the next agent's, a higher one */
};

/* Who reads the events and settles what is held: one value, which the programs of an agent and of the next one share. */
struct epitope_agent {
    epitope_u32 process;               /* 0: nobody; cleared in the kernel when the process ends, however it ends */
    epitope_u32 generation;            /* whose programs judge: those of every other generation stand by */
    epitope_u64 since;                 /* of the last change of `process`: nanoseconds of CLOCK_BOOTTIME */
};

/* What an exclusion is for. */
enum epitope_subject {
    EPITOPE_SUBJECT_EXECUTABLE = 1,    /* first: inode, second: device */
    EPITOPE_SUBJECT_CGROUP = 2,        /* first: the id of a cgroup, which is for all below it */
    EPITOPE_SUBJECT_USER = 3,          /* first: the user's id */
};

struct epitope_exclusion_key {
    epitope_u64 first;
    epitope_u32 second;
    epitope_u32 subject;               /* enum epitope_subject */
};

struct epitope_exclusion {
    epitope_i64 changed_seconds, changed_nanoseconds; /* of an executable: it must be as it was */
    epitope_u32 kinds, unused;         /* EPITOPE_KIND_* */
};

/* A place in a library's image, after a call or a system call: how far its frame reaches is known for it. */
struct epitope_site {
    epitope_u64 inode, offset;         /* offset: in the file, of the instruction's last byte */
    epitope_u32 device, unused;
};

struct epitope_mark {
    epitope_u32 marked;                /* 0: the address space had a mark's place, and is another's by now */
    epitope_u32 reason;                /* enum epitope_reason */
    epitope_u64 time;                  /* nanoseconds of CLOCK_MONOTONIC */
};

enum epitope_reason {
    EPITOPE_REASON_MAPPED = 1,
    EPITOPE_REASON_PROTECTED,
    EPITOPE_REASON_ATTACHED,
    EPITOPE_REASON_PERSONALITY,
    EPITOPE_REASON_INHERITED,
    EPITOPE_REASON_EXECUTABLE_STACK,
    EPITOPE_REASON_FOUND,              /* it came before the program */
    EPITOPE_REASON_WRITTEN_BY_OTHER,   /* another process may write its memory */
    EPITOPE_REASON_WRITTEN_BY_SELF,    /* by /proc/self/mem */
    EPITOPE_REASON_PROGRAM,            /* its program, or the loader that begins it, is no image */
    EPITOPE_REASON_EXECUTED,           /* the program itself is a memory file, or its code can be written */
};

struct epitope_said {                  /* a report that was made */
    epitope_u64 start_time, callers_address;
    epitope_u32 process, call_number;
};

enum epitope_counter {
    EPITOPE_COUNT_INSPECTED = 0,       /* critical calls of marked processes */
    EPITOPE_COUNT_REPORTED,
    EPITOPE_COUNT_REPEATED,            /* not reported: the same process and caller's address */
    EPITOPE_COUNT_DROPPED,             /* not reported: the ring buffer was full */
    EPITOPE_COUNT_ACTED,
    EPITOPE_COUNT_BUSY,                /* the address space was busy */
    EPITOPE_COUNT_NO_ROOM,             /* no scratch space was free */
    EPITOPE_COUNT_EXCLUSIOND,
    EPITOPE_COUNT_MARKED,
    EPITOPE_COUNT_UNATTRIBUTABLE,      /* a ring's worker in the kernel made the call */
    EPITOPE_COUNT_MARKS_FULL,          /* marks that had no place: every process is held to be marked since */
    EPITOPE_COUNTERS,
};
