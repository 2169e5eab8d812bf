/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The kernel's own constants, by the kernel's own names: type information (BTF) has no macros. All of x86-64. */
#pragma once

#define EPERM 1
#define EBUSY 16
#define SIGKILL 9
#define SIGCONT 18
#define SIGSTOP 19
#define SIGURG 23
#define ERESTARTNOINTR 513               /* linux/errno.h: a call is made again on the way back to user space */
#define NSEC_PER_SEC 1000000000ull
#define PAGE_SIZE 4096ul

/* Mappings: vm_flags, protections of mmap and mprotect (the first three bits are the same), and personalities. */
#define VM_READ 1ul
#define VM_WRITE 2ul
#define VM_EXEC 4ul
#define VM_SHARED 8ul
#define VM_GROWSDOWN 0x100ul
#define MAP_ANONYMOUS 0x20u
#define READ_IMPLIES_EXEC 0x400000u
#define SHM_EXEC 0100000u

/* Tasks: the interface and the code segment that a call came from, and threads without user registers. */
#define TS_COMPAT 2u                     /* the call came in by the 32-bit interface */
#define USER32_CS 0x23ul                 /* the code segment of 32-bit code */
#define PF_IO_WORKER 0x10u               /* an io_uring worker */
#define PF_FORKNOEXEC 0x40u              /* forked, and has run no program since */

/* Access to other processes. */
#define PTRACE_MODE_ATTACH 2u
#define PTRACE_POKETEXT 4u
#define PTRACE_POKEDATA 5u

/* prctl. */
#define PR_SET_MM 35u
#define PR_SET_MM_EXE_FILE 13u
#define PR_SET_MM_MAP 14u

/* Files and file systems. */
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define FMODE_WRITE 2u
#define MAY_WRITE 2
#define SEEK_SET 0
#define SEEK_CUR 1
#define TMPFS_MAGIC 0x01021994ul
#define PROC_SUPER_MAGIC 0x9fa0ul
#define HUGETLBFS_MAGIC 0x958458f6ul
#define I_CTIME_QUERIED (1u << 31)       /* a flag in an inode's nanoseconds, since Linux 6.13 */

/* Sockets. */
#define AF_INET 2
#define AF_INET6 10
#define UIO_MAXIOV 1024                  /* messages of one sendmmsg */

/* io_uring (linux/io_uring.h, linux/io_uring_types.h). */
#define IORING_SETUP_SQPOLL 2u
#define REQ_F_FIXED_FILE 1u              /* the request names its file by an index of the ring's own */
enum {
    IORING_OP_WRITEV = 2,
    IORING_OP_WRITE_FIXED = 5,
    IORING_OP_SENDMSG = 9,
    IORING_OP_ACCEPT = 13,
    IORING_OP_CONNECT = 16,
    IORING_OP_WRITE = 23,
    IORING_OP_SEND = 26,
    IORING_OP_SPLICE = 30,
    IORING_OP_SEND_ZC = 47,
    IORING_OP_SENDMSG_ZC = 48,
    IORING_OP_BIND = 56,
    IORING_OP_LISTEN = 57,
    IORING_OP_WRITEV_FIXED = 60,
};
