// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CProcessFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are the same on every architecture; Debian 12's headers lack some. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

int epitope_process_handle(pid_t process) {
    int descriptor = (int)syscall(SYS_pidfd_open, process, 0);
    return descriptor >= 0 ? descriptor : -errno;
}

int epitope_pidfd_signal(int handle, int signal) {
    return syscall(SYS_pidfd_send_signal, handle, signal, NULL, 0) == 0 ? 0 : -errno;
}

int epitope_pidfd_getfd(int handle, int descriptor) {
    int copy = (int)syscall(SYS_pidfd_getfd, handle, descriptor, 0);
    return copy >= 0 ? copy : -errno;
}

int epitope_find_within(int folder, const char *path, int follows) {
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int found = (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
    return found >= 0 ? found : -errno;
}
