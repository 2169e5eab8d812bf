/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Keys and values of the maps that the kernel program and the agent share. KernelBackendTests compare the layouts that each
 * compiler made of it. */
#pragma once

#include "epitope_event.h"

enum {
    EPITOPE_SYSCALLS = 512,            /* numbers that the program looks at */
    EPITOPE_MAX_EXCLUSIONS = 4096,
    EPITOPE_MAX_SITES = 131072,        /* call sites of C libraries with a known frame size; one library has some 30,000 */
    EPITOPE_MAX_JUMPS = 65536,         /* pairs of functions of C libraries, one of which jumps to the other */
    EPITOPE_ANY_CALL = 0xffff,
    EPITOPE_MAX_COPIES = 256,          /* known sealed copies of images */
    EPITOPE_MAX_MARKS = 65536,         /* marked address spaces at a time */
    EPITOPE_MAX_BEGINNINGS = 65536,    /* address spaces at a time of processes that were forked and run no program of their own */
    EPITOPE_MAX_SUBMITTERS = 4096,     /* address spaces whose rings unbacked code submits to */
    EPITOPE_MAX_STARTERS = 8192,       /* threads that unbacked code started */
    EPITOPE_MAX_QUESTIONS = 8192,      /* processes that wait for an answer of the agent's at a time */
    EPITOPE_MAX_ANSWERS = 16384,
    EPITOPE_CONTENT_WORDS = 2048,      /* 32-bit words of the two pages that an instruction may lie in */
};

/* Applications of behaviour blocking: what the policy says differs from one to the other. */
enum epitope_application {
    EPITOPE_APPLICATION_EXEC = 0,
    EPITOPE_APPLICATION_CONNECT,
    EPITOPE_APPLICATION_SEND,
    EPITOPE_APPLICATION_LISTEN,
    EPITOPE_APPLICATIONS,              /* a power of two */
};

/* What is done about the calls of one application. */
struct epitope_rule {
    epitope_u32 act_on;                /* EPITOPE_KIND_* that are acted upon */
    epitope_u32 report_on;             /* EPITOPE_KIND_* that are reported */
    epitope_u32 answer;                /* enum epitope_answer for what is acted upon */
    epitope_u32 answer_without_agent;  /* instead of EPITOPE_ANSWER_STOPPED where no agent would continue or kill the process */
    epitope_u32 cuts;                  /* whether the agent overwrites the code of what it stops: then repetitions are told to it, too */
    epitope_u32 is_on;                 /* 0: no call is judged */
};

/* The policy in force, one value that is replaced as a whole. */
struct epitope_policy {
    struct epitope_rule rules[EPITOPE_APPLICATIONS];
    epitope_u64 boot_time;             /* what the wall clock says CLOCK_BOOTTIME began at, in nanoseconds since 1970; 0: not known */
};

/* What a program is given before it is loaded. */
struct epitope_constants {
    epitope_u8 classes[2][EPITOPE_SYSCALLS]; /* enum epitope_syscall_class by number: 64-bit, 32-bit */
    epitope_u32 generation;            /* of one agent's programs; the next agent's have a higher one */
    epitope_u32 unused;
    epitope_u64 content_keys[EPITOPE_CONTENT_WORDS]; /* random, and nobody else knows them (questions.h) */
};

/* The agent that reads the events and settles what becomes of stopped processes: one value, which the programs of an agent and of the
 * next one share. */
struct epitope_agent {
    epitope_u32 process;               /* 0: none; the kernel clears it when the process exits, however it does */
    epitope_u32 generation;            /* of the programs that judge calls: those of every other generation stand by */
    epitope_u64 since;                 /* when `process` changed last: nanoseconds of CLOCK_BOOTTIME */
};

/* What an exclusion applies to. */
enum epitope_subject {
    EPITOPE_SUBJECT_EXECUTABLE = 1,    /* first: inode, second: device */
    EPITOPE_SUBJECT_CGROUP = 2,        /* first: the ID of a cgroup, including all below it */
    EPITOPE_SUBJECT_USER = 3,          /* first: the user ID */
};

struct epitope_exclusion_key {
    epitope_u64 first;
    epitope_u32 second;
    epitope_u32 subject;               /* enum epitope_subject */
};

struct epitope_exclusion {
    epitope_i64 changed_seconds, changed_nanoseconds; /* the ctime that an executable must still have */
    epitope_u32 kinds, unused;         /* EPITOPE_KIND_* */
};

/* Identifies a memory file: no other file has had, or will have, all three. */
struct epitope_file {
    epitope_u64 inode;
    epitope_u32 device, generation;
};

/* A place in a library's image right after a call or a system call instruction, whose frame size is known. */
struct epitope_site {
    epitope_u64 inode, offset;         /* offset: in the file, of the instruction's last byte */
    epitope_u32 device;
    epitope_u32 generation;            /* of the file's inode, whose number may be reused; 0 for C libraries */
};

/* The frame at a site, by the library's unwind tables. */
struct epitope_frame {
    epitope_u32 size;                  /* from the stack pointer, or from the frame pointer, to the frame's end */
    epitope_u32 function;              /* offset in the file of the function's first instruction; 0: not known */
    epitope_u16 saved;                 /* how far below the frame's end the caller's frame pointer is saved; 0: it is unchanged */
    epitope_u8 is_from_frame_pointer, frame_pointer_is_lost; /* lost: the caller's frame pointer is somewhere else */
    epitope_u8 is_pointed_at;          /* the function can be reached by a jump, or a call, through a register or memory */
    epitope_u8 unused;
    epitope_u16 call_number;           /* of the system call that is made there, always the same one; EPITOPE_ANY_CALL: not known */
};

/* That a library's function is left by a jump that may reach another one: that one then returns to the first one's caller. */
struct epitope_jump {
    epitope_u64 inode;
    epitope_u32 from, to;              /* offsets in the file; `to` 0: it jumps through a register or memory, so anywhere */
    epitope_u32 device, unused;
};

/* What the agent says of the code that an epitope_question is about. */
enum epitope_code_origin {
    EPITOPE_CODE_OF_IMAGE = 1,         /* it is what the image's file has there, but for what debuggers, tracers and the loader write */
    EPITOPE_CODE_UNPACKED,             /* a packed program unpacked it, as its own */
    EPITOPE_CODE_OTHER,                /* it is neither */
    EPITOPE_FRAME_UNKNOWN,             /* of a frame: the image's unwind tables don't tell */
};

/* A question that a process waits for the answer of, at most one at a time. */
struct epitope_asked {
    struct epitope_question question;
    epitope_u64 start_time;            /* of the process */
    epitope_u64 time;                  /* nanoseconds of CLOCK_BOOTTIME */
};

struct epitope_mark {
    epitope_u32 marked;                /* 0: the address was reused by an address space without a mark */
    epitope_u16 reasons;               /* bits of enum epitope_reason */
    epitope_u16 lost;                  /* EPITOPE_LOST_* */
    epitope_u64 time;                  /* of the first: nanoseconds of CLOCK_MONOTONIC */
};

/* What isn't known of an address space: what there was no room to record, so that its calls are held to be uninspectable where it
 * matters; and its program. */
enum epitope_lost {
    EPITOPE_LOST_SUBMITTER = 1 << 0,
    EPITOPE_LOST_STARTER = 1 << 1,
    EPITOPE_LOST_PROGRAM = 1 << 2,     /* another file may have taken its program's place: no exclusion of a program covers it */
};

/* Why an address space is marked: the number of a bit. */
enum epitope_reason {
    EPITOPE_REASON_MAPPED = 1,
    EPITOPE_REASON_PROTECTED,
    EPITOPE_REASON_ATTACHED,
    EPITOPE_REASON_PERSONALITY,
    EPITOPE_REASON_INHERITED,
    EPITOPE_REASON_EXECUTABLE_STACK,
    EPITOPE_REASON_FOUND,              /* existed before the program was loaded */
    EPITOPE_REASON_WRITTEN_BY_OTHER,   /* another process may write its memory */
    EPITOPE_REASON_WRITTEN_BY_SELF,    /* through /proc/self/mem */
    EPITOPE_REASON_PROGRAM,            /* its program, or the loader that starts it, is not an image */
    EPITOPE_REASON_EXECUTED,           /* the program itself is a memory file, or its code can be written */
    EPITOPE_REASON_REPLACED,           /* another file may have taken its program's place */
    EPITOPE_REASON_NO_ROOM,            /* there was no room for its mark, or that of another one which shares its slot of the filter */
    EPITOPE_REASONS,
};

/* Identifies a report, so that it is made once. */
struct epitope_reported_call {
    epitope_u64 start_time, callers_address;
    epitope_u64 code;                  /* a hash of the code that was extracted; 0: how many there were is counted */
    epitope_u32 process, call_number;
};

enum epitope_counter {
    EPITOPE_COUNT_INSPECTED = 0,       /* critical calls of marked processes */
    EPITOPE_COUNT_REPORTED,
    EPITOPE_COUNT_REPEATED,            /* not reported again: the same process, caller's address and code */
    EPITOPE_COUNT_DROPPED,             /* not reported: the ring buffer was full */
    EPITOPE_COUNT_ACTED,
    EPITOPE_COUNT_BUSY,                /* the address space was busy */
    EPITOPE_COUNT_NO_ROOM,             /* no scratch space was free */
    EPITOPE_COUNT_EXCLUDED,
    EPITOPE_COUNT_MARKED,
    EPITOPE_COUNT_UNATTRIBUTABLE,      /* made by an io_uring worker */
    EPITOPE_COUNT_MARKS_FULL,          /* marks for which there was no room: processes that share their slot of the filter count as marked */
    EPITOPE_COUNT_UNMARKED,            /* marks that were removed when their address space ended */
    EPITOPE_COUNT_MARKS_RECOVERED,     /* slots of the filter that the agent cleared when there was room again */
    EPITOPE_COUNT_NO_ORIGIN,           /* callers for which there was no room, of a ring's requests or of a new thread */
    EPITOPE_COUNT_HELD,                /* calls that were held back until the agent had compared their caller's code with its file */
    EPITOPE_COUNT_UNANSWERED,          /* calls that were judged without that comparison: it didn't come in time, or there was no room */
    EPITOPE_COUNTERS,
};
