// SPDX-License-Identifier: Apache-2.0

/* A small server on loopback that makes one inert call from unbacked memory, in the ways in which servers come to hold their
 * sockets, so that tests can see which traffic a rule is made for.
 *
 *   served-stub fork PORT       listens; the child for the first connection closes the listening socket (sshd, postgres)
 *   served-stub gone PORT       the same, and the listener has closed it, too, by the time of the call
 *   served-stub inherited 0     descriptor 0 is a connection that another program took (inetd, systemd's Accept=yes)
 *   served-stub both PORT       listens by TCP, and waits for datagrams at the same port
 *   served-stub many PORT       listens on 20 ports, from PORT on
 *   served-stub outgoing PORT   listens on PORT, and has itself connected to a service on the port after it
 *
 * Its own child plays the client. Prints "result R errno E" of the call. */
#include "EpitopeStubs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef long stub_function(long, long, long, long, long, long, long);

static void check(int condition, const char *what) {
    if (condition) return;
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(long port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(int type, long port) {
    struct sockaddr_in address = loopback(port);
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;
    check(descriptor >= 0, "socket");
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    check(bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    if (type == SOCK_STREAM) check(listen(descriptor, 5) == 0, "listen");
    return descriptor;
}

static int connected(long port) {
    struct sockaddr_in address = loopback(port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    return descriptor;
}

/* A child that connects, sends a byte, and holds its end until this process closes its own. */
static void client(long port, int listener) {
    int child = fork();
    check(child >= 0, "fork");
    if (child != 0) return;
    close(listener);
    int descriptor = connected(port);
    char byte = 'x';
    check(write(descriptor, &byte, 1) == 1, "write");
    while (read(descriptor, &byte, 1) > 0) {}
    _exit(0);
}

/* The call that is blocked: connect(2) to a port that nobody serves, from an anonymous page. */
static int call(void) {
    uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(page != MAP_FAILED, "mmap");
    memcpy(page + 64, epitope_stub_direct, sizeof epitope_stub_direct);
    struct sockaddr_in address = loopback(9);
    long descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long result = ((stub_function *)(void *)(page + 64))(SYS_connect, descriptor, (long)&address, sizeof address, 0, 0, 0);
    printf("result %d errno %d\n", result < 0 ? -1 : 0, result < 0 ? (int)-result : 0);
    fflush(stdout);
    return 0;
}

static int serve(long port, int keeps) {
    int listener = bound(SOCK_STREAM, port);
    client(port, listener);
    int connection = accept(listener, NULL, NULL), go[2];
    check(connection >= 0 && pipe(go) == 0, "accept");
    int child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        char byte;
        close(listener);
        close(go[1]);
        /* Until the parent has done with its own sockets. */
        while (read(go[0], &byte, 1) > 0) {}
        _exit(call());
    }
    close(connection);
    if (!keeps) close(listener);
    close(go[0]);
    close(go[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

static int outgoing(long port) {
    bound(SOCK_STREAM, port);
    int listener = bound(SOCK_STREAM, port + 1);
    int child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        char byte;
        int connection = accept(listener, NULL, NULL);
        while (read(connection, &byte, 1) > 0) {}
        _exit(0);
    }
    close(listener);
    connected(port + 1);
    return call();
}

int main(int count, char **arguments) {
    const char *mode = count == 3 ? arguments[1] : "";
    long port = count == 3 ? strtol(arguments[2], NULL, 10) : 0;
    if (strcmp(mode, "fork") == 0) return serve(port, 1);
    if (strcmp(mode, "gone") == 0) return serve(port, 0);
    if (strcmp(mode, "outgoing") == 0) return outgoing(port);
    if (strcmp(mode, "inherited") == 0) return call();
    if (strcmp(mode, "both") == 0) {
        bound(SOCK_STREAM, port);
        bound(SOCK_DGRAM, port);
        return call();
    }
    if (strcmp(mode, "many") == 0) {
        for (long next = port; next < port + 20; next++) bound(SOCK_STREAM, next);
        return call();
    }
    fprintf(stderr, "usage: served-stub fork|gone|inherited|both|many|outgoing PORT\n");
    return 64;
}
