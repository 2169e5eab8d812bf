// SPDX-License-Identifier: Apache-2.0

/* Makes COUNT blocked calls, one every PAUSE milliseconds, each from a page of code that differs from the others, so
 * that each is a new packet with a signature of its own. Every call tries to send one byte to a port on loopback.
 * The pages are kept, so that each call has an address of its own: calls from one address are reported at most
 * three times in ten seconds.
 * Prints a line a call: the call's number, and the error it got (0: the send went through).
 * With PAGES there are so many, and the calls go round them.
 *
 *   call-series COUNT PAUSE_MS PORT [PAGES]
 */
#define _GNU_SOURCE
#include "EpitopeStubs.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, UNLIKE = 64, MOST_PAGES = 1000, MOST_CALLS = 1000000 };

typedef long direct(long number, long a1, long a2, long a3, long a4, long a5, long a6);

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: call-series COUNT PAUSE_MS PORT [PAGES]\n");
        return 2;
    }
    const int count = atoi(argv[1]);
    const long pause = atol(argv[2]);
    const int pages = argc == 5 ? atoi(argv[4]) : count;
    static direct *calls[MOST_PAGES];
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || count < 1 || count > MOST_CALLS || pages < 1 || pages > MOST_PAGES || pause < 0) return 2;
    for (int i = 0; i < count; i++) {
        if (i < pages) {
            /* Between pages that can't be used, so that the kernel doesn't join it with the last call's to one region. */
            uint8_t *reserved = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (reserved == MAP_FAILED) return 2;
            uint8_t *page = reserved + PAGE;
            if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0 || getrandom(page, UNLIKE, 0) != UNLIKE) return 2;
            memcpy(page + UNLIKE, epitope_stub_direct, EPITOPE_STUB_DIRECT_LENGTH);
            if (mprotect(page, PAGE, PROT_READ | PROT_EXEC) != 0) return 2;
            calls[i] = (direct *)(void *)(page + UNLIKE);
        }
        direct *call = calls[i % pages];
        const long result = call(SYS_sendto, fd, (long)"x", 1, 0, (long)&target, sizeof target);
        printf("%d %ld\n", i, result < 0 ? -result : 0);
        fflush(stdout);
        const struct timespec rest = {.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000};
        nanosleep(&rest, NULL);
    }
    return 0;
}
