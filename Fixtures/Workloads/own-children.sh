#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A program that reaches into its own children, as debuggers, tracers and crash handlers do: all of that is theirs.
. "$(dirname "$0")/common.sh"
cat >work.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int number = 1;

int main(void) {
    char path[64];
    int status, value = 7, descriptor = open("/dev/null", O_RDONLY);
    pid_t child = fork();
    if (child == 0) {
        for (;;) pause();
    }
    printf("seize %ld\n", ptrace(PTRACE_SEIZE, child, 0, 0));
    printf("interrupt %ld\n", ptrace(PTRACE_INTERRUPT, child, 0, 0));
    waitpid(child, &status, 0);
    printf("detach %ld\n", ptrace(PTRACE_DETACH, child, 0, 0));
    printf("attach %ld\n", ptrace(PTRACE_ATTACH, child, 0, 0));
    waitpid(child, &status, 0);
    printf("detach %ld\n", ptrace(PTRACE_DETACH, child, 0, 0));
    struct iovec from = {&value, sizeof value}, to = {(void *)&number, sizeof number};
    printf("write %zd\n", process_vm_writev(child, &from, 1, &to, 1, 0));
    snprintf(path, sizeof path, "/proc/%d/mem", child);
    int memory = open(path, O_RDWR);
    printf("memory %zd\n", pwrite(memory, &value, sizeof value, (off_t)&number));
    long handle = syscall(SYS_pidfd_open, child, 0);
    printf("descriptor %d\n", syscall(SYS_pidfd_getfd, handle, descriptor, 0) >= 0);
    printf("file %d\n", open("made", O_WRONLY | O_CREAT, 0600) >= 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return 0;
}
C
clang -O1 -o work work.c
./work
