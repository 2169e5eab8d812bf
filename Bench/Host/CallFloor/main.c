// SPDX-License-Identifier: Apache-2.0

/* What of a benign call's cost under `epitope run` is the kernel's own: a program under a seccomp filter sends datagrams to
 * loopback, and this one answers each call after the steps that an inspection can't do without, and nothing else.
 *
 *   call-floor COUNT
 *
 * Prints a line a step, NAME NANOSECONDS: of COUNT calls, with all steps before it.
 *   bare            nobody is notified
 *   notification    each call is answered at once
 *   stack-pointer   the caller's registers are read (/proc/TID/syscall)
 *   memory          256 bytes of its stack and two pages of its code are read, by one process_vm_readv
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* 6.6 */
#endif
enum { PAGE = 4096, STACK = 256, SYNCHRONOUS = 1 };
enum step { BARE, NOTIFICATION, STACK_POINTER, MEMORY, STEPS };
static const char *const names[STEPS] = {"bare", "notification", "stack-pointer", "memory"};

/* What the two processes share. */
struct shared {
    volatile int listener; /* -1: not yet */
    double nanoseconds;
};

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int install(void) {
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof instructions / sizeof *instructions, instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) fail("seccomp");
    return listener;
}

/* The program whose calls are timed. Its descriptors are the other's, too, so that the listener is. */
static _Noreturn void make_calls(int count, int isWatched, struct shared *shared) {
    int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof target;
    if (bind(receiver, (void *)&target, sizeof target) != 0 || getsockname(receiver, (void *)&target, &length) != 0) fail("socket");
    if (isWatched) shared->listener = install();
    double start = now();
    for (int index = 0; index < count; index++)
        if (sendto(sender, "benign", 6, 0, (void *)&target, sizeof target) != 6) fail("sendto");
    shared->nanoseconds = (now() - start) / count;
    /* The last call, which tells the other that it is. */
    sendto(-1, "", 0, 0, NULL, 0);
    close(receiver);
    close(sender);
    _exit(0);
}

/* Answers every call after so many steps. */
static void answer_calls(int listener, pid_t caller, enum step step) {
    static char text[256], memory[STACK + 2 * PAGE];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/syscall", caller);
    int registers = open(path, O_RDONLY | O_CLOEXEC);
    if (registers < 0) fail(path);
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (uint64_t)SYNCHRONOUS);
    for (int isLast = 0; !isLast;) {
        struct seccomp_notif call = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
            if (errno == EINTR) continue;
            fail("receive");
        }
        isLast = (int)call.data.args[0] == -1;
        uint64_t stack_pointer = 0;
        if (step >= STACK_POINTER) {
            ssize_t length;
            /* It may not sleep yet. */
            do length = pread(registers, text, sizeof text - 1, 0);
            while (length > 0 && text[0] == 'r');
            if (length <= 0) fail("registers");
            text[length] = 0;
            char *last = strrchr(text, ' ');
            while (last > text && *--last != ' ') continue;
            stack_pointer = strtoull(last, NULL, 16);
        }
        if (step >= MEMORY && !isLast) {
            uint64_t here = (uint64_t)(uintptr_t)make_calls;
            struct iovec to = {memory, sizeof memory};
            struct iovec from[] = {{(void *)(uintptr_t)stack_pointer, STACK},
                                   {(void *)(uintptr_t)(call.data.instruction_pointer & ~(uint64_t)(PAGE - 1)), PAGE},
                                   {(void *)(uintptr_t)(here & ~(uint64_t)(PAGE - 1)), PAGE}};
            if (process_vm_readv(caller, &to, 1, from, 3, 0) != (ssize_t)sizeof memory) fail("memory");
        }
        struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0) fail("answer");
    }
    close(registers);
    close(listener);
}

int main(int argc, char **argv) {
    int count = argc == 2 ? atoi(argv[1]) : 0;
    if (count < 1) {
        fprintf(stderr, "usage: call-floor COUNT\n");
        return 2;
    }
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap");
    for (enum step step = BARE; step < STEPS; step++) {
        shared->listener = -1;
        pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
        if (child < 0) fail("clone");
        if (child == 0) make_calls(count, step != BARE, shared);
        if (step != BARE) {
            while (shared->listener < 0)
                if (usleep(1000) != 0 || waitpid(child, NULL, WNOHANG) != 0) return 1;
            answer_calls(shared->listener, child, step);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) return 1;
        printf("%s %.0f\n", names[step], shared->nanoseconds);
    }
    return 0;
}
