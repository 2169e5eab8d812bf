// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CProcessFiles.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* include/net/tcp_states.h: UDP sockets without a peer are "closed". */
enum { STATE_CLOSED = 7, STATE_LISTENING = 10 };

/* Asks for the sockets of one family; the kernel looks through those in the wanted state only, not through all connections. */
static int ask(int netlink, int family, int protocol, uint16_t port) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {
        .header = {
            .nlmsg_len = sizeof message, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
        },
        .request = {
            .sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol,
            .idiag_states = 1u << (protocol == IPPROTO_UDP ? STATE_CLOSED : STATE_LISTENING),
            .id.idiag_sport = htons(port),
        },
    };
    return send(netlink, &message, sizeof message, 0) == (ssize_t)sizeof message ? 0 : -errno;
}

/* Reads the answer to its end; 1 if there was a socket in it. */
static int answer(int netlink) {
    int found = 0;
    for (;;) {
        _Alignas(struct nlmsghdr) char buffer[16384];
        ssize_t count = recv(netlink, buffer, sizeof buffer, 0);
        if (count < 0) return -errno;
        if (count == 0) return -EIO;
        size_t left = (size_t)count;
        for (const struct nlmsghdr *item = (const struct nlmsghdr *)buffer; NLMSG_OK(item, left); item = NLMSG_NEXT(item, left)) {
            if (item->nlmsg_type == NLMSG_DONE) return found;
            if (item->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *error = NLMSG_DATA(item);
                return error->error != 0 ? error->error : -EIO;
            }
            if (item->nlmsg_type == SOCK_DIAG_BY_FAMILY) found = 1;
        }
    }
}

int epitope_is_served(int protocol, uint16_t port) {
    int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0) return -errno;
    struct timeval patience = {.tv_usec = 100000};
    setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int status = 0;
    const int families[] = {AF_INET, AF_INET6};
    for (int index = 0; index < 2 && status == 0; index++) {
        status = ask(netlink, families[index], protocol, port);
        if (status == 0) status = answer(netlink);
        /* A kernel without IPv6. */
        if (families[index] == AF_INET6 && status == -ENOENT) status = 0;
    }
    close(netlink);
    return status;
}
