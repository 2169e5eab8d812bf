// SPDX-License-Identifier: Apache-2.0

/* A program that is interrupted all the time, as by a profiler's timer or by Go's preemption. */
#include "call_stub.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void take(int number) {
    (void)number;
    signals++;
}

void storm(void) {
    enum { CONNECTIONS = 1000, MICROSECONDS = 1000 };
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0), connected = 0, accepted = 0, more = 0;
    if (bind(listener, (void *)&address, length) != 0 || listen(listener, 16) != 0 || getsockname(listener, (void *)&address, &length) != 0)
        fail("listener");
    struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, MICROSECONDS}, {0, MICROSECONDS}};
    if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &often, NULL) != 0) fail("timer");
    for (int index = 0; index < CONNECTIONS; index++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        /* One that was carried out twice fails the second time. */
        connected += connect(client, (void *)&address, sizeof address) == 0;
        int server = accept(listener, NULL, NULL);
        accepted += server >= 0;
        close(server);
        close(client);
    }
    fcntl(listener, F_SETFL, O_NONBLOCK);
    while (accept(listener, NULL, NULL) >= 0) more++;
    printf("storm connected %d accepted %d more %d interrupted %d\n", connected, accepted, more, signals > 0);
    fflush(stdout);
}
