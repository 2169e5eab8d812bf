/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Numbers of system calls by interface: NR64 as in asm/unistd_64.h, NR32 as in asm/unistd_32.h, NR for numbers that both share.
 * The kernel program and the agent both include this file. */
#pragma once

enum {
    NR64_WRITE = 1,
    NR64_LSEEK = 8,
    NR64_MMAP = 9,
    NR64_MPROTECT = 10,
    NR64_PWRITE64 = 18,
    NR64_WRITEV = 20,
    NR64_SHMAT = 30,
    NR64_SENDFILE = 40,
    NR64_CONNECT = 42,
    NR64_SENDTO = 44,
    NR64_SENDMSG = 46,
    NR64_BIND = 49,
    NR64_EXECVE = 59,
    NR64_PTRACE = 101,
    NR64_PERSONALITY = 135,
    NR64_PRCTL = 157,
    NR64_IO_SUBMIT = 209,
    NR64_RESTART_SYSCALL = 219,
    NR64_SPLICE = 275,
    NR64_PWRITEV = 296,
    NR64_SENDMMSG = 307,
    NR64_PROCESS_VM_WRITEV = 311,
    NR64_EXECVEAT = 322,
    NR64_PWRITEV2 = 328,
    NR64_PKEY_MPROTECT = 329,
};

enum {
    NR32_WRITE = 4,
    NR32_EXECVE = 11,
    NR32_LSEEK = 19,
    NR32_PTRACE = 26,
    NR32_MMAP = 90,                      /* its arguments are in memory */
    NR32_SOCKETCALL = 102,
    NR32_IPC = 117,
    NR32_MPROTECT = 125,
    NR32_PERSONALITY = 136,
    NR32_LLSEEK = 140,                   /* _llseek: the offset is in two arguments */
    NR32_WRITEV = 146,
    NR32_PRCTL = 172,
    NR32_PWRITE64 = 181,
    NR32_SENDFILE = 187,
    NR32_MMAP2 = 192,
    NR32_SENDFILE64 = 239,
    NR32_IO_SUBMIT = 248,
    NR32_SPLICE = 313,
    NR32_PWRITEV = 334,
    NR32_SENDMMSG = 345,
    NR32_PROCESS_VM_WRITEV = 348,
    NR32_EXECVEAT = 358,
    NR32_BIND = 361,
    NR32_CONNECT = 362,
    NR32_SENDTO = 369,
    NR32_SENDMSG = 370,
    NR32_PWRITEV2 = 379,
    NR32_PKEY_MPROTECT = 380,
    NR32_SHMAT = 397,
};

/* Numbers of the x32 interface's own, without its bit (asm/unistd_x32.h). */
enum {
    NRX32_WRITEV = 516,
    NRX32_SENDMSG = 518,
    NRX32_EXECVE = 520,
    NRX32_PTRACE = 521,
    NRX32_PWRITEV = 535,
    NRX32_SENDMMSG = 538,
    NRX32_PROCESS_VM_WRITEV = 540,
    NRX32_IO_SUBMIT = 544,
    NRX32_EXECVEAT = 545,
    NRX32_PWRITEV2 = 547,
};

enum {
    NR_IO_URING_SETUP = 425,
    NR_IO_URING_ENTER = 426,
};

/* The first argument of socketcall (linux/net.h) and of ipc (linux/ipc.h). */
enum {
    SOCKETCALL_BIND = 2,
    SOCKETCALL_CONNECT = 3,
    SOCKETCALL_SEND = 9,
    SOCKETCALL_SENDTO = 11,
    SOCKETCALL_SENDMSG = 16,
    SOCKETCALL_SENDMMSG = 20,
    IPC_SHMAT = 21,
};
