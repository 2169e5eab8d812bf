// SPDX-License-Identifier: Apache-2.0

/* Reaches into another process, and does nothing there: what a command does to processes outside of it must be seen.
 *
 *   reach-stub FORM WAY PROCESS
 *
 * FORM is who makes the call: this program's image, through the library's syscall() (image) or its function of that name
 * (function), or a stub in anonymous memory (memory). WAY is the call. PROCESS is a
 * number, or a child that is made for it (child). Prints what the call gave:
 *
 *   result R errno E
 *
 * reach-stub traced: asks its parent to trace it, is stopped by a signal that means nothing, and killed by a child.
 */
#define _GNU_SOURCE
#include "EpitopeStubs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef long (*system_call)(long, long, long, long, long, long, long);

static long by_image(long number, long a, long b, long c, long d, long e, long f) {
    long result = syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
}

static long by_function(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    switch (number) {
    case SYS_ptrace: result = ptrace((int)a, (pid_t)b, (void *)c, (void *)d); break;
    case SYS_process_vm_writev: result = process_vm_writev((pid_t)a, (void *)b, (unsigned long)c, (void *)d, (unsigned long)e, (unsigned long)f); break;
    case SYS_open: result = open((void *)a, (int)b, (mode_t)c); break;
    case SYS_creat: result = creat((void *)a, (mode_t)b); break;
    case SYS_openat: result = openat((int)a, (void *)b, (int)c, (mode_t)d); break;
    default: result = syscall(number, a, b, c, d, e, f);
    }
    return result < 0 ? -errno : result;
}

static system_call by_memory(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) exit(99);
    memcpy(page, epitope_stub_direct, EPITOPE_STUB_DIRECT_LENGTH);
    return (system_call)page;
}

static long open_by_link(system_call call, const char *path) {
    char folder[] = "/tmp/epitope-XXXXXX", link[64];
    if (!mkdtemp(folder)) exit(98);
    snprintf(link, sizeof link, "%s/link", folder);
    if (symlink(path, link) != 0) exit(98);
    long result = call(SYS_open, (long)link, O_RDWR, 0, 0, 0, 0);
    unlink(link);
    rmdir(folder);
    return result;
}

/* Types a letter into a terminal of this process's own, as if somebody had. */
static long type_letter(system_call call) {
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0 || (setsid() < 0 && errno != EPERM)) exit(98);
    int end = open(ptsname(terminal), O_RDWR);
    return call(SYS_ioctl, end, TIOCSTI, (long)"x", 0, 0, 0);
}

static long reach(system_call call, const char *way, pid_t process) {
    char folder[64], path[80], task[96];
    snprintf(folder, sizeof folder, "/proc/%d", process);
    snprintf(path, sizeof path, "%s/mem", folder);
    snprintf(task, sizeof task, "%s/task/../task/%d/mem", folder, process);
    if (strcmp(way, "attach") == 0) return call(SYS_ptrace, PTRACE_ATTACH, process, 0, 0, 0, 0);
    if (strcmp(way, "seize") == 0) return call(SYS_ptrace, PTRACE_SEIZE, process, 0, 0, 0, 0);
    if (strcmp(way, "write") == 0) {
        static char byte;
        struct iovec piece = {&byte, 1};
        return call(SYS_process_vm_writev, process, (long)&piece, 1, (long)&piece, 1, 0);
    }
    if (strcmp(way, "descriptor") == 0) {
        long handle = syscall(SYS_pidfd_open, process, 0);
        return call(SYS_pidfd_getfd, handle, 0, 0, 0, 0, 0);
    }
    if (strcmp(way, "type") == 0) return type_letter(call);
    if (strcmp(way, "open") == 0) return call(SYS_open, (long)path, O_RDWR, 0, 0, 0, 0);
    if (strcmp(way, "creat") == 0) return call(SYS_creat, (long)path, 0600, 0, 0, 0, 0);
    if (strcmp(way, "task") == 0) return call(SYS_openat, AT_FDCWD, (long)task, O_WRONLY, 0, 0, 0);
    if (strcmp(way, "beneath") == 0) return call(SYS_openat, open(folder, O_PATH | O_DIRECTORY), (long)"mem", O_WRONLY, 0, 0, 0);
    if (strcmp(way, "openat2") == 0) {
        struct open_how how = {.flags = O_RDWR};
        return call(SYS_openat2, AT_FDCWD, (long)path, (long)&how, sizeof how, 0, 0);
    }
    if (strcmp(way, "relative") == 0) return chdir(folder) != 0 ? -errno : call(SYS_open, (long)"./mem", O_RDWR, 0, 0, 0, 0);
    if (strcmp(way, "link") == 0) return open_by_link(call, path);
    exit(97);
}

static int have_traced(void) {
    pid_t process = getpid();
    if (fork() == 0) {
        usleep(300 * 1000);
        kill(process, SIGKILL);
        _exit(0);
    }
    return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 && raise(SIGWINCH) == 0 ? 94 : 95;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "traced") == 0) return have_traced();
    if (count != 4) return 96;
    system_call call = strcmp(arguments[1], "memory") == 0 ? by_memory() : strcmp(arguments[1], "function") == 0 ? by_function : by_image;
    int is_child = strcmp(arguments[3], "child") == 0;
    pid_t process = is_child ? fork() : atoi(arguments[3]);
    if (is_child && process == 0) {
        for (;;) pause();
    }
    long result = reach(call, arguments[2], process);
    printf("result %ld errno %ld\n", result < 0 ? -1 : result, result < 0 ? -result : 0);
    fflush(stdout);
    if (is_child) {
        kill(process, SIGKILL);
        /* One that is traced is waited for twice. */
        while (waitpid(process, NULL, __WALL) == process) continue;
    }
    return 0;
}
