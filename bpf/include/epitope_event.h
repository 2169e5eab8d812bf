/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Events: what the kernel program reports to the agent. Both sides include this file; KernelBackendTests compare the layouts
 * that each compiler made of it. */
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
    EPITOPE_CODE_BYTES = 8192,         /* the largest region that is copied whole */
    EPITOPE_SIDE_BYTES = 4096,         /* copied of a larger one, on each side of the caller's address */
    EPITOPE_STACK_WORDS = 512,         /* searched for the caller */
    EPITOPE_EVENT_STACK_WORDS = 64,    /* of the stack that an event holds */
    EPITOPE_PAYLOAD_BYTES = 8192,      /* of the data to be sent that an event holds */
    EPITOPE_MAX_PIECES = 32,           /* buffers of that data, over all messages of a call */
    EPITOPE_PATH_BYTES = 256,
    EPITOPE_ADDRESS_BYTES = 128,       /* struct sockaddr_storage */
};

/* What a system call's number means to the program. */
enum epitope_syscall_class {
    EPITOPE_CLASS_NONE = 0,
    EPITOPE_CLASS_EXEC,
    EPITOPE_CLASS_CONNECT,
    EPITOPE_CLASS_SEND,
    EPITOPE_CLASS_SERVE,
    EPITOPE_CLASS_WRITE,               /* a send if the descriptor is a socket */
    EPITOPE_CLASS_SOCKETCALL,          /* 32-bit: the first argument names the call */
    EPITOPE_CLASS_IO_SUBMIT,           /* a send if a request's descriptor is a socket */
    EPITOPE_CLASS_IO_URING,            /* io_uring_enter: may send or connect; io_uring_setup: if the kernel is to poll */
    EPITOPE_CLASS_MAP,
    EPITOPE_CLASS_PROTECT,
    EPITOPE_CLASS_ATTACH,              /* shmat */
    EPITOPE_CLASS_PERSONALITY,
    EPITOPE_CLASS_TRACE,               /* ptrace */
    EPITOPE_CLASS_WRITE_OTHER,         /* process_vm_writev */
    EPITOPE_CLASS_SEEK,                /* lseek: /proc/PID/mem is positioned at an address before it is written */
    EPITOPE_CLASS_WRITE_AT,            /* a write at a position: the same */
    EPITOPE_CLASS_CONTROL,             /* prctl: it can put another file in the place of the process's program */
    EPITOPE_CLASS_IPC,                 /* 32-bit: the first argument names the call */
};

/* What backs a piece of memory, as far as the kernel program can determine it. */
enum epitope_backing {
    EPITOPE_BACKING_NONE = 0,          /* nothing is mapped there */
    EPITOPE_BACKING_IMAGE,
    EPITOPE_BACKING_KERNEL,            /* the vdso */
    EPITOPE_BACKING_ANONYMOUS,
    EPITOPE_BACKING_STACK,
    EPITOPE_BACKING_HEAP,
    EPITOPE_BACKING_MEMORY_FILE,
    EPITOPE_BACKING_WRITTEN_IMAGE,     /* a private page of an image that was written */
    EPITOPE_BACKING_WRITTEN_FILE,      /* a file that only seems to stand behind it: it can be changed, or never had a name */
};

/* Why an event is sent. */
enum epitope_finding {
    EPITOPE_FINDING_DIRECT = 1,        /* the call's own instruction is in unbacked memory */
    EPITOPE_FINDING_LIBRARY = 2,       /* the code that called the library is */
    EPITOPE_FINDING_DEEPER = 3,        /* a return address further up the stack is */
    EPITOPE_FINDING_UNATTRIBUTABLE = 4,/* an io_uring worker made the call, for a process with unbacked executable memory */
    EPITOPE_FINDING_UNINSPECTABLE = 5, /* the address space was busy, or the stack is not mapped */
    EPITOPE_FINDING_PROGRAM = 6,       /* no call: a program started whose image is a memory file (`region`) */
    EPITOPE_FINDING_IMPOSSIBLE = 7,    /* the library returns to an address that the call before it can't have left: see `defect` */
    EPITOPE_FINDING_UNCHECKED = 8,     /* the call before the address that the library returns to can't be checked */
    EPITOPE_FINDING_QUESTION = 9,      /* no call yet: the agent is asked about the caller's code (`question`), and the call is held */
};

/* Why a return address is impossible, or can't be checked. */
enum epitope_defect {
    EPITOPE_DEFECT_NONE = 0,
    EPITOPE_DEFECT_NO_CODE,            /* impossible: nothing executable is mapped there */
    EPITOPE_DEFECT_NO_CALL,            /* impossible: no call instruction stands before it */
    EPITOPE_DEFECT_OTHER_FUNCTION,     /* impossible: the call before it reaches another function of the library */
    EPITOPE_DEFECT_OTHER_CALL,         /* impossible: the library's function makes another system call at that place */
    EPITOPE_DEFECT_INDIRECT,           /* unchecked: a call through a register, or through memory */
    EPITOPE_DEFECT_OTHER_IMAGE,        /* unchecked: the call before it reaches a function of an image that may have jumped here */
    EPITOPE_DEFECT_CHANGED,            /* unchecked: it changed while it was looked at */
};

/* What the kernel did about the call. */
enum epitope_answer {
    EPITOPE_ANSWER_PASSED = 0,
    EPITOPE_ANSWER_DENIED = 1,
    EPITOPE_ANSWER_STOPPED = 2,        /* SIGSTOP was sent to the process; at a tracepoint its call is carried out first */
    EPITOPE_ANSWER_KILLED = 3,
    EPITOPE_ANSWER_HELD = 4,           /* it is made again from its start, without the process's doing, and judged then */
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
    EPITOPE_KIND_WRITTEN_FILE = 1 << 8,
    EPITOPE_KIND_IMPOSSIBLE_RETURN = 1 << 9,
    EPITOPE_KIND_UNCHECKED_RETURN = 1 << 10,
    EPITOPE_KIND_PACKED_PROGRAM = 1 << 11,
    EPITOPE_KIND_DELETED_FILE = 1 << 12,  /* found by the agent alone; here for exclusions */
};

/* Whether the agent has said what a caller's code is (epitope_question). */
enum epitope_code_answer {
    EPITOPE_CODE_NOT_ASKED = 0,
    EPITOPE_CODE_UNANSWERED,
    EPITOPE_CODE_ANSWERED,
};

struct epitope_region {
    epitope_u64 start, end;
    epitope_u64 inode;
    epitope_u32 device;                /* as the kernel encodes it: major << 20 | minor */
    epitope_u8 protection;             /* 1 read, 2 write, 4 execute, 8 shared */
    epitope_u8 backing;                /* enum epitope_backing */
    epitope_u8 may_be_written;         /* a private image mapping some page of which was written */
    epitope_u8 is_loader;              /* the dynamic loader */
    epitope_u32 generation;            /* of a memory file's inode, whose number may be reused */
    epitope_u8 is_unpacked;            /* what a packed program unpacked, as the agent said of it */
    epitope_u8 answer;                 /* enum epitope_code_answer: about the caller's code, before the call was judged */
    epitope_u8 unused[2];
};

enum epitope_question_kind {
    /* Whether a caller's code in memory is a file's all the same. The answer holds for these bytes, at this place of this program. */
    EPITOPE_QUESTION_CODE = 1,
    /* How far the frame reaches of an image's function that made a call through a register. The answer is an epitope_frame, and holds for
     * the place in the file. */
    EPITOPE_QUESTION_FRAME,
};

/* What the agent is asked. A question is answered once: members that don't matter for its kind are 0. */
struct epitope_question {
    epitope_u64 callers_address;
    epitope_u64 content;               /* a keyed hash of the pages that the instruction before it lies in */
    epitope_u64 start_time;            /* of the process */
    epitope_u64 executions;            /* of programs, by the process and those that it descends from */
    epitope_u64 inode, offset;         /* of the mapping: its file, and the place in that of the last page, or of the call's last byte */
    epitope_u32 process, device;
    epitope_u32 length;                /* of the pages, the last of which the instruction ends in */
    epitope_u32 generation;            /* of a frame's file */
    epitope_u32 kind, unused;          /* enum epitope_question_kind */
};

struct epitope_socket_state {          /* of the descriptor that the call names; family 0: none, or not an IP socket */
    epitope_u16 family, type;          /* AF_*, SOCK_* */
    epitope_u16 local_port, peer_port; /* in host byte order */
    epitope_u8 local[16], peer[16];    /* IPv4: the first four */
};

/* A buffer of the data that a call was about to send. */
struct epitope_piece {
    epitope_u64 address, length;
    epitope_u32 payload_offset, copied_length; /* its first bytes, in the event's payload */
    epitope_u32 message, unused;       /* index among the call's messages */
};

/* The program that a process ran when it made a call. With the process it identifies the time between two execs: a program's stack
 * begins elsewhere each time that it is started. */
struct epitope_running_program {
    epitope_u64 inode;                 /* of its file; 0: not known */
    epitope_i64 changed_seconds;       /* the file's last change (ctime) by then */
    epitope_u64 start_code, start_stack;
    epitope_u32 changed_nanoseconds;
    epitope_u32 device, generation, links;
    epitope_u32 path_length;           /* of `program_path`; 0: not known, or longer than that */
    epitope_u32 may_be_replaced;       /* another file may stand in its place (PR_SET_MM) */
};

/* The state of the file that `region` names, where it is an image that may have been written, and not the program. */
struct epitope_region_file {
    epitope_u64 offset;                /* of the region's start, in the file; of any image */
    epitope_i64 changed_seconds;       /* its last change (ctime) by then */
    epitope_u32 changed_nanoseconds;
    epitope_u32 path_length;           /* of `region_path`; 0: not looked for, not known, or longer than that */
};

/* The executable unbacked memory that words of the caller's stack point to, as one range from the first such mapping's start to the
 * last one's end: empty where there is none, everything where one is not like the caller's (anonymous, private, not writable) or can't
 * be looked at. */
struct epitope_stack_code {
    epitope_u64 start, end;
    epitope_u32 is_searched, unused;
};

struct epitope_event {
    epitope_u64 time;                  /* nanoseconds of CLOCK_BOOTTIME */
    epitope_u64 start_time;            /* of the process, the same clock: with the process ID it identifies the process */
    epitope_u64 cgroup;
    epitope_u64 instruction_pointer, stack_pointer;
    epitope_u64 callers_address;
    epitope_u64 deeper_address;        /* of EPITOPE_FINDING_DEEPER, _IMPOSSIBLE and _UNCHECKED: the return address, in `region` */
    epitope_u64 arguments[6];
    epitope_u64 registers[16];         /* ax bx cx dx si di bp sp r8 ... r15 */
    epitope_u64 code_start;
    epitope_u64 payload_length;        /* of all pieces, copied or not */
    epitope_u32 process, thread, user;
    epitope_u32 call_class;            /* enum epitope_syscall_class */
    epitope_u32 call_number;
    epitope_u32 is_32bit_call;         /* made through the 32-bit interface */
    epitope_u32 is_32bit_code;         /* made by 32-bit code */
    epitope_u32 finding, answer;
    epitope_u32 code_length, piece_count, address_length, stack_count;
    epitope_u32 is_hook;               /* from a security hook, else from a tracepoint */
    epitope_u32 subcall;               /* of socketcall, whose arguments `arguments` then holds */
    epitope_u32 excluded;              /* EPITOPE_KIND_* that don't count for the process */
    epitope_u32 defect;                /* enum epitope_defect, of EPITOPE_FINDING_IMPOSSIBLE and _UNCHECKED */
    epitope_u32 marked_for;            /* bits of enum epitope_reason: why the process's calls are inspected */
    epitope_u32 is_repeated;           /* the call was reported before: there is only its code to overwrite, and nothing is copied */
    epitope_u32 unused;
    struct epitope_region region;      /* of the caller's address */
    struct epitope_region library;     /* of the instruction pointer */
    struct epitope_question question;  /* of EPITOPE_FINDING_QUESTION */
    struct epitope_running_program program;
    struct epitope_region_file region_file;
    struct epitope_stack_code stack_code; /* of EPITOPE_FINDING_DIRECT and _LIBRARY where the program may have unpacked the caller */
    struct epitope_socket_state socket;
    char command[16];
    epitope_u8 address[EPITOPE_ADDRESS_BYTES];
    char path[EPITOPE_PATH_BYTES];     /* of an exec-like call */
    char program_path[EPITOPE_PATH_BYTES]; /* the parts of the program's path, the last one first, each with a 0 behind it */
    char region_path[EPITOPE_PATH_BYTES];
    struct epitope_piece pieces[EPITOPE_MAX_PIECES];
    epitope_u64 stack[EPITOPE_EVENT_STACK_WORDS];
    epitope_u8 code[EPITOPE_CODE_BYTES];
    epitope_u8 payload[EPITOPE_PAYLOAD_BYTES]; /* an event ends with the last byte in use */
};
