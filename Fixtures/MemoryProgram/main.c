// SPDX-License-Identifier: Apache-2.0

/* Runs a copy of itself from memory, as container runtimes do, and has that send one datagram to loopback.
 *
 *   memory-program sealed|unsealed|altered plain|injected PORT
 *
 * "sealed": nobody can write the copy any more. "altered": sealed, with one byte more than the file. The datagram is sent
 * by the program itself, or by an inert stub in anonymous memory; then the copy waits a moment, as a runtime does for its
 * container's start. Prints:
 *
 *   process N
 *   sent R
 */
#define _GNU_SOURCE
#include "EpitopeStubs.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };
extern char **environ;
typedef long stub_function(long, long, long, long, long, long, long);

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(99);
}

static void send_one(int injected, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long descriptor = socket(AF_INET, SOCK_DGRAM, 0), result;
    if (injected) {
        uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) fail("mmap");
        memcpy(page, epitope_stub_direct, sizeof epitope_stub_direct);
        if (mprotect(page, PAGE, PROT_READ | PROT_EXEC) != 0) fail("mprotect");
        result = ((stub_function *)page)(SYS_sendto, descriptor, (long)"x", 1, 0, (long)&address, sizeof address);
    } else {
        result = sendto((int)descriptor, "x", 1, 0, (void *)&address, sizeof address);
    }
    printf("sent %ld\n", result);
    fflush(stdout);
    usleep(500000);
}

static void become_copy(const char *manner, char **arguments) {
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat state;
    if (program < 0 || copy < 0 || fstat(program, &state) != 0) fail("copy");
    for (off_t done = 0; done < state.st_size;)
        if (sendfile(copy, program, &done, (size_t)(state.st_size - done)) <= 0) fail("sendfile");
    if (manner[0] == 'a' && write(copy, "", 1) != 1) fail("write");
    if (manner[0] != 'u' && fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) fail("seals");
    fexecve(copy, arguments, environ);
    fail("fexecve");
}

int main(int count, char **arguments) {
    if (count == 3) { /* the copy */
        send_one(arguments[1][0] == 'i', (uint16_t)atoi(arguments[2]));
        return 0;
    }
    if (count != 4) return 97;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) become_copy(arguments[1], (char *[]){arguments[0], arguments[2], arguments[3], NULL});
    printf("process %d\n", child);
    int status;
    if (waitpid(child, &status, 0) != child) fail("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
