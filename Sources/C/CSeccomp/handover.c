// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Addresses the folder by its descriptor, so that it is the one that was checked, whatever happens to its path. */
static int address_in(int folder, const char *name, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder, name);
    return length < 0 || (size_t)length >= sizeof address->sun_path ? -ENAMETOOLONG : 0;
}

int epitope_listen_in(int folder, const char *name) {
    struct sockaddr_un address;
    int error = address_in(folder, name, &address);
    if (error != 0) return error;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    /* The file gets the mode of the unbound socket, so that it never has another one, whatever the umask. */
    if (fchmod(descriptor, 0600) == 0 && bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0
        && listen(descriptor, 128) == 0)
        return descriptor;
    error = -errno;
    close(descriptor);
    return error;
}

int epitope_try_connect(int folder, const char *name) {
    struct sockaddr_un address;
    int error = address_in(folder, name, &address);
    if (error != 0) return error;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    error = connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    close(descriptor);
    /* Its queue is full: a process has the listener open. */
    return error == -EAGAIN ? 0 : error;
}

int epitope_accept(int socket) {
    int descriptor = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
    return descriptor >= 0 ? descriptor : -errno;
}

int epitope_peer(int socket, pid_t *process, uid_t *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
    *process = peer.pid;
    *user = peer.uid;
    return 0;
}

ssize_t epitope_receive(int socket, void *bytes, size_t length, int descriptors[EPITOPE_MAX_DESCRIPTORS], int *count) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(EPITOPE_MAX_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec piece = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t received;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0) return -errno;

    bool fits = !(message.msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        size_t here = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < here; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + index * sizeof descriptor, sizeof descriptor);
            if (*count < EPITOPE_MAX_DESCRIPTORS) descriptors[(*count)++] = descriptor;
            else {
                close(descriptor);
                fits = false;
            }
        }
    }
    if (fits) return received;
    while (*count > 0) close(descriptors[--*count]);
    return -EMSGSIZE;
}

int epitope_set_receive_timeout(int socket, int seconds) {
    struct timeval time = {.tv_sec = seconds};
    return setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 ? 0 : -errno;
}
