// SPDX-License-Identifier: Apache-2.0

/* Times benign critical calls: prints "NAME NANOSECONDS" for each, the mean over COUNT calls. Everything stays on
 * loopback.
 *
 *   call-cost COUNT [NAME...]      these alone, of getppid, sendto, connect, execve
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static char **names;

static int is_timed(const char *name) {
    for (char **each = names; *each; each++)
        if (strcmp(*each, name) == 0) return 1;
    return !*names;
}

int main(int argc, char **argv) {
    const int count = argc >= 2 ? atoi(argv[1]) : 0;
    if (count < 1) {
        fprintf(stderr, "usage: call-cost COUNT [NAME...]\n");
        return 2;
    }
    names = argv + 2;
    const int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in target = {.sin_family = AF_INET};
    socklen_t length = sizeof target;
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(receiver, (void *)&target, sizeof target) || getsockname(receiver, (void *)&target, &length)) return 2;

    /* A call that is not watched: what the filter alone costs. */
    double start = now();
    if (is_timed("getppid")) {
        for (int i = 0; i < count; i++) syscall(SYS_getppid);
        printf("getppid %.0f\n", (now() - start) / count);
    }

    if (is_timed("sendto")) {
        start = now();
        for (int i = 0; i < count; i++)
            if (sendto(sender, "benign", 6, 0, (void *)&target, sizeof target) != 6) return 2;
        printf("sendto %.0f\n", (now() - start) / count);
    }

    if (is_timed("connect")) {
        start = now();
        for (int i = 0; i < count; i++)
            if (connect(sender, (void *)&target, sizeof target)) return 2;
        printf("connect %.0f\n", (now() - start) / count);
    }

    if (!is_timed("execve")) return 0;
    const int children = count / 50 > 0 ? count / 50 : 1;
    start = now();
    for (int i = 0; i < children; i++) {
        const pid_t child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 2;
    }
    printf("execve %.0f\n", (now() - start) / children);
    return 0;
}
