// SPDX-License-Identifier: Apache-2.0

/* A service with a hole, for the demonstration and nothing else: it runs what it receives.
 *
 *   sample-service ADDRESS:PORT                 runs each datagram that doesn't begin with "hello"
 *   sample-service --count-only ADDRESS:PORT    only counts what arrives
 *
 * It prints a line for each datagram, and a total when it is told to end (SIGTERM, SIGINT). What runs is confined
 * (confinement.h); on loopback, where other users of the machine can send too, only the project's own inert stub
 * that addresses loopback is run. */
#include "EpitopeStubs.h"
#include "SampleNet.h"
#include "confinement.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal) {
    (void)signal;
    ended = 1;
}

static int is_inert_loopback_stub(const uint8_t *bytes, size_t length) {
    uint8_t stub[EPITOPE_STUB_DATAGRAM_LENGTH];
    if (length != sizeof stub) return 0;
    const uint8_t *address = bytes + length - 16;
    uint32_t ipv4 = (uint32_t)address[4] << 24 | (uint32_t)address[5] << 16 | (uint32_t)address[6] << 8 | address[7];
    epitope_stub_datagram(stub, ipv4, (uint16_t)(address[2] << 8 | address[3]));
    return ipv4 >> 24 == 127 && memcmp(stub, bytes, length) == 0;
}

/* The hole: received bytes in anonymous memory, called. Prints what the code returned. */
static void run(const uint8_t *bytes, size_t length) {
    void *code = mmap(NULL, length, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) {
        printf("run failed errno=%d\n", errno);
        return;
    }
    memcpy(code, bytes, length);
    long result = ((long (*)(void))code)();
    printf("ran result=%ld time_us=%lld\n", result, sample_now_us());
    munmap(code, length);
}

static int serve(int service, int confinement) {
    uint8_t datagram[65536];
    long long datagrams = 0, total = 0;
    while (!ended) {
        struct sockaddr_in peer;
        socklen_t peer_length = sizeof peer;
        ssize_t length = recvfrom(service, datagram, sizeof datagram, 0, (struct sockaddr *)&peer, &peer_length);
        if (length < 0) {
            if (errno == EINTR) continue;
            perror("sample-service: recvfrom");
            return 1;
        }
        int hello = length >= 5 && memcmp(datagram, "hello", 5) == 0;
        datagrams++, total += length;
        printf("received bytes=%zd kind=%s from=%s:%d time_us=%lld\n", length, hello ? "hello" : "code",
               inet_ntoa(peer.sin_addr), ntohs(peer.sin_port), sample_now_us());
        if (!confinement) continue;
        if (hello) sendto(service, datagram, (size_t)length, 0, (struct sockaddr *)&peer, peer_length);
        else if (length == 0 || (confinement == 1 && !is_inert_loopback_stub(datagram, (size_t)length)))
            printf("refused: on loopback only the inert stub that addresses loopback is run\n");
        else run(datagram, (size_t)length);
    }
    printf("total datagrams=%lld bytes=%lld\n", datagrams, total);
    return 0;
}

int main(int argc, char **argv) {
    int count_only = argc == 3 && strcmp(argv[1], "--count-only") == 0;
    struct sockaddr_in address;
    if ((argc != 2 && !count_only) || sample_parse_endpoint(argv[argc - 1], &address)) {
        fprintf(stderr, "usage: sample-service [--count-only] ADDRESS:PORT\n");
        return 64;
    }
    int confinement = 0;
    if (!count_only) {
        const char *allowed = getenv("EPITOPE_SAMPLE_SERVICE"), *reason = "EPITOPE_SAMPLE_SERVICE is not set to 1";
        if (allowed && strcmp(allowed, "1") == 0) confinement = confinement_of(&address, &reason);
        if (!confinement) {
            fprintf(stderr, "sample-service: refused to run what it receives: %s\n", reason);
            return 77;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = end}; /* without SA_RESTART: recvfrom returns */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int service = socket(AF_INET, SOCK_DGRAM, 0);
    if (service < 0 || bind(service, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "sample-service: can't listen on %s: %s\n", argv[argc - 1], strerror(errno));
        return 1;
    }
    printf("listening on %s pid=%d\n", argv[argc - 1], getpid());
    return serve(service, confinement);
}
