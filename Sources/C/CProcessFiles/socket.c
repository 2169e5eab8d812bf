// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CProcessFiles.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int epitope_read_socket(pid_t process, int descriptor, struct epitope_socket *result) {
    memset(result, 0, sizeof *result);
    int pidfd = epitope_process_handle(process);
    if (pidfd < 0) return pidfd;
    int duplicate = epitope_pidfd_getfd(pidfd, descriptor);
    close(pidfd);
    if (duplicate < 0) return duplicate;

    int status = 0;
    socklen_t length = sizeof(int);
    if (getsockopt(duplicate, SOL_SOCKET, SO_DOMAIN, &result->domain, &length) != 0) status = -errno;
    length = sizeof(int);
    if (status == 0 && getsockopt(duplicate, SOL_SOCKET, SO_TYPE, &result->type, &length) != 0) status = -errno;
    length = sizeof result->local;
    if (status == 0 && getsockname(duplicate, (struct sockaddr *)result->local, &length) == 0)
        result->local_length = length < sizeof result->local ? length : sizeof result->local;
    length = sizeof result->peer;
    if (status == 0 && getpeername(duplicate, (struct sockaddr *)result->peer, &length) == 0)
        result->peer_length = length < sizeof result->peer ? length : sizeof result->peer;
    close(duplicate);
    return status;
}
