// SPDX-License-Identifier: Apache-2.0

/* Ordinary calls of every kind, on loopback, by the first thread and by another one. Built in many ways by the workloads.
 *
 * Prints how many of them succeeded. */
#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int connections(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *place = (struct sockaddr *)&address;
    socklen_t length = sizeof address;
    char bytes[16];
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    int done = bind(listener, place, length) == 0;
    done += listen(listener, 5) == 0;
    getsockname(listener, place, &length);
    done += connect(client, place, length) == 0;
    int server = done == 3 ? accept(listener, NULL, NULL) : -1;
    done += server >= 0;
    done += send(client, "hello", 5, 0) == 5;
    done += recv(server, bytes, sizeof bytes, MSG_DONTWAIT) == 5;
    struct iovec piece = {"hello", 5};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    done += sendmsg(server, &message, 0) == 5;
    done += sendto(datagrams, "hello", 5, 0, place, length) == 5;
    close(listener), close(client), close(server), close(datagrams);
    return done;
}

static int children(void) {
    char *words[] = {"true", NULL};
    int status, done = system("true") == 0;
    pid_t child;
    FILE *stream = popen("echo x", "r");
    done += stream && fgetc(stream) == 'x';
    done += stream && pclose(stream) == 0;
    done += posix_spawnp(&child, "true", NULL, NULL, words, environ) == 0 && waitpid(child, &status, 0) == child && status == 0;
    child = fork();
    if (child == 0) {
        execlp("true", "true", NULL);
        _exit(1);
    }
    done += waitpid(child, &status, 0) == child && status == 0;
    return done;
}

static void *work(void *done) {
    struct addrinfo *found = NULL;
    *(int *)done = connections() + children();
#ifndef STATIC
    *(int *)done += getaddrinfo("localhost", "80", NULL, &found) == 0;
    if (found) freeaddrinfo(found);
#endif
    return NULL;
}

int main(void) {
    int first = 0, second = 0;
    pthread_t thread;
    work(&first);
    if (pthread_create(&thread, NULL, work, &second) != 0) return 1;
    pthread_join(thread, NULL);
    printf("%d %d\n", first, second);
    return 0;
}
