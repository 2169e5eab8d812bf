// SPDX-License-Identifier: Apache-2.0

/* The demonstration's attacker: sends an inert stub, or a benign greeting, and says when.
 *
 *   sample-sender hello HOST:PORT                           sends "hello" and waits a second for the answer
 *   sample-sender hello --stream PIPE HOST:PORT             writes a capture that goes on: "hello" 50 times a second
 *   sample-sender stub TARGET:PORT HOST:PORT                sends the stub, which would send itself to TARGET:PORT
 *   sample-sender stub TARGET:PORT --file FILE              writes the datagram's bytes instead of sending them
 *   sample-sender stub TARGET:PORT --pcap FILE HOST:PORT    writes a capture in which 10.77.10.1 sends it to HOST:PORT
 *
 * With connecting-stub in place of stub: other code, which would only connect to TARGET:PORT.
 */
#include "EpitopeStubs.h"
#include "SampleNet.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int usage(void) {
    fprintf(stderr, "usage: sample-sender hello [--stream PIPE] HOST:PORT | (stub | connecting-stub) TARGET:PORT (HOST:PORT | --file FILE | --pcap FILE HOST:PORT)\n");
    return 64;
}

static int send_to(const uint8_t *bytes, size_t length, const struct sockaddr_in *to, int expect_answer) {
    int sender = socket(AF_INET, SOCK_DGRAM, 0);
    struct timeval patience = {.tv_sec = 1};
    if (sender < 0 || setsockopt(sender, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)) return perror("socket"), 1;
    long long left = sample_now_us();
    if (sendto(sender, bytes, length, 0, (const struct sockaddr *)to, sizeof *to) != (ssize_t)length) return perror("sendto"), 1;
    printf("sent bytes=%zu time_us=%lld\n", length, left);
    if (expect_answer) {
        uint8_t answer[64];
        ssize_t got = recv(sender, answer, sizeof answer, 0);
        printf("answer bytes=%zd time_us=%lld\n", got < 0 ? 0 : got, sample_now_us());
    }
    close(sender);
    return 0;
}

static int write_file(const char *path, const uint8_t *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file)) {
        fprintf(stderr, "sample-sender: can't write %s: %s\n", path, strerror(errno));
        return 1;
    }
    return 0;
}

static void put16(uint8_t *out, unsigned value) {
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

/* The IPv4 header's checksum: the complement of the ones' complement sum of its 16-bit words (RFC 791). */
static uint16_t checksum(const uint8_t *bytes, size_t length) {
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

enum { CAPTURE_HEADER = 24, FRAME_OVERHEAD = 16 + 14 + 20 + 8, LARGEST_FRAME = FRAME_OVERHEAD + EPITOPE_STUB_DATAGRAM_LENGTH };

/* The classic pcap format: version 2.4, Ethernet frames. */
static size_t capture_header(uint8_t *out) {
    uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 1};
    memcpy(out, header, sizeof header);
    return sizeof header;
}

/* One captured UDP datagram from 10.77.10.1, with its record header. */
static size_t capture_frame(uint8_t *out, const uint8_t *bytes, size_t length, const struct sockaddr_in *to) {
    uint32_t frame = (uint32_t)(FRAME_OVERHEAD - 16 + length);
    long long now = sample_now_us();
    uint32_t record[4] = {(uint32_t)(now / 1000000), (uint32_t)(now % 1000000), frame, frame};
    memset(out, 0, 16 + frame);
    memcpy(out, record, sizeof record);
    uint8_t *ethernet = out + 16, *ip = ethernet + 14, *udp = ip + 20;
    ethernet[0] = ethernet[6] = 0x02, ethernet[5] = 2, ethernet[11] = 1; /* locally administered addresses */
    put16(ethernet + 12, 0x0800);
    ip[0] = 0x45, ip[8] = 64, ip[9] = IPPROTO_UDP;
    put16(ip + 2, (unsigned)(20 + 8 + length));
    uint32_t from = htonl(0x0a4d0a01);
    memcpy(ip + 12, &from, 4);
    memcpy(ip + 16, &to->sin_addr, 4);
    put16(ip + 10, checksum(ip, 20));
    put16(udp, 40000);
    put16(udp + 2, ntohs(to->sin_port));
    put16(udp + 4, (unsigned)(8 + length)); /* the checksum stays 0: none, as RFC 768 allows */
    memcpy(udp + 8, bytes, length);
    return 16 + frame;
}

static int write_pcap(const char *path, const uint8_t *bytes, size_t length, const struct sockaddr_in *to) {
    uint8_t file[CAPTURE_HEADER + LARGEST_FRAME];
    size_t header = capture_header(file);
    return write_file(path, file, header + capture_frame(file + header, bytes, length, to));
}

/* A capture that goes on: without privilege no interface can be watched, but a pipe can be read as one. A greeting
 * every 20 ms keeps the reader awake, until it goes away (SIGPIPE) or this program is told to end. */
static int stream_greetings(const char *path, const struct sockaddr_in *to) {
    uint8_t out[CAPTURE_HEADER + LARGEST_FRAME];
    int pipe = open(path, O_WRONLY | O_CLOEXEC);
    if (pipe < 0) return perror(path), 1;
    if (write(pipe, out, capture_header(out)) < 0) return perror(path), 1;
    for (;;) {
        size_t frame = capture_frame(out, (const uint8_t *)"hello", 5, to);
        if (write(pipe, out, frame) != (ssize_t)frame) return perror(path), 1;
        usleep(20000);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in target, to;
    if (argc == 3 && strcmp(argv[1], "hello") == 0) {
        if (sample_parse_endpoint(argv[2], &to)) return usage();
        return send_to((const uint8_t *)"hello", 5, &to, 1);
    }
    if (argc == 5 && strcmp(argv[1], "hello") == 0 && strcmp(argv[2], "--stream") == 0)
        return sample_parse_endpoint(argv[4], &to) ? usage() : stream_greetings(argv[3], &to);
    if (argc < 4 || sample_parse_endpoint(argv[2], &target)) return usage();
    uint8_t stub[EPITOPE_STUB_DATAGRAM_LENGTH];
    _Static_assert(sizeof stub >= EPITOPE_STUB_CONNECTING_LENGTH, "either stub has room");
    size_t length;
    if (strcmp(argv[1], "stub") == 0) length = epitope_stub_datagram(stub, ntohl(target.sin_addr.s_addr), ntohs(target.sin_port));
    else if (strcmp(argv[1], "connecting-stub") == 0)
        length = epitope_stub_connecting(stub, ntohl(target.sin_addr.s_addr), ntohs(target.sin_port));
    else return usage();
    if (argc == 5 && strcmp(argv[3], "--file") == 0) return write_file(argv[4], stub, length);
    if (argc == 6 && strcmp(argv[3], "--pcap") == 0)
        return sample_parse_endpoint(argv[5], &to) ? usage() : write_pcap(argv[4], stub, length, &to);
    if (argc == 4 && sample_parse_endpoint(argv[3], &to) == 0) return send_to(stub, length, &to, 0);
    return usage();
}
