// SPDX-License-Identifier: Apache-2.0

/* Gives up rights as Epitope's processes do, and then tries what they may not:
 *
 *   confined signing -- TRY...           as the process that has an authority's key
 *   confined reading PATH... -- TRY...   as a center, which reads beneath the paths only
 *
 * Prints a line a try: its words, and 0 or the error number. Ends with 3 where the kernel has no Landlock. */
#define _GNU_SOURCE
#include "CPrivileges.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int outcome(long result) { return result < 0 ? errno : 0; }

static int opened(int descriptor) {
    if (descriptor < 0) return errno;
    close(descriptor);
    return 0;
}

/* What reads a byte of another process's memory, as ptrace(2) would permit it. */
static int memory_of(pid_t process) {
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)4096, 1};
    if (process_vm_readv(process, &here, 1, &there, 1, 0) >= 0) return 0;
    /* Nothing lies there: it was permitted to look. */
    return errno == EFAULT ? 0 : errno;
}

static int try(char *words) {
    char *kind = strtok(words, ":"), *first = strtok(NULL, ":"), *second = strtok(NULL, ":");
    if (strcmp(kind, "read") == 0) return opened(open(first, O_RDONLY | O_CLOEXEC));
    if (strcmp(kind, "write") == 0) return opened(open(first, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (strcmp(kind, "list") == 0) return opened(open(first, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (strcmp(kind, "link") == 0) return outcome(link(first, second));
    if (strcmp(kind, "move") == 0) return outcome(rename(first, second));
    if (strcmp(kind, "mount") == 0) return outcome(syscall(SYS_mount, first, second, NULL, 4096 /* MS_BIND */, NULL));
    if (strcmp(kind, "socket") == 0) return opened(socket(strcmp(first, "unix") == 0 ? AF_UNIX : AF_INET, SOCK_STREAM, 0));
    if (strcmp(kind, "execute") == 0) return outcome(execl(first, first, (char *)NULL));
    if (strcmp(kind, "fork") == 0) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        return outcome(child);
    }
    if (strcmp(kind, "signal") == 0) return outcome(kill(atoi(first), 0));
    if (strcmp(kind, "trace") == 0) return outcome(ptrace(PTRACE_SEIZE, atoi(first), 0, 0));
    if (strcmp(kind, "memory") == 0) return memory_of(atoi(first));
    if (strcmp(kind, "map") == 0)
        return mmap(NULL, 4096, strcmp(first, "code") == 0 ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0) == MAP_FAILED ? errno : 0;
    fprintf(stderr, "confined: nobody tries %s\n", kind);
    exit(2);
}

int main(int count, char **words) {
    int end = 2;
    while (end < count && strcmp(words[end], "--") != 0) end++;
    if (count < 3 || end == count) return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    if (epitope_landlock_version() < 0) return 3;
    int result = epitope_no_new_privileges();
    if (result == 0 && strcmp(words[1], "signing") == 0) {
        result = epitope_give_up_files();
        if (result == 0) result = epitope_permit_signing_calls();
    } else if (result == 0) {
        result = epitope_read_only_beneath((const char *const *)words + 2, (size_t)(end - 2));
    }
    if (result != 0) {
        fprintf(stderr, "confined: %s\n", strerror(-result));
        return 1;
    }
    for (int index = end + 1; index < count; index++) {
        char text[4096];
        snprintf(text, sizeof text, "%s", words[index]);
        int failure = try(text);
        printf("%s %d\n", words[index], failure);
    }
    return 0;
}
