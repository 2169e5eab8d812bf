// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* 6.6 */
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
/* SECCOMP_IOCTL_NOTIF_ID_VALID had the wrong direction before 5.8; newer kernels take both. */
#define ID_VALID_WRONG_DIRECTION SECCOMP_IOR(2, __u64)

/* Whether the ioctl itself returns once the last process has gone: Linux 6.11 and later. */
static bool receiving_ends(void) {
    static int known; /* 1 no, 2 yes; every thread computes the same value */
    if (known == 0) {
        struct utsname name;
        int first = 0, second = 0;
        bool ends = uname(&name) == 0 && sscanf(name.release, "%d.%d", &first, &second) == 2
            && (first > 6 || (first == 6 && second >= 11));
        known = ends ? 2 : 1;
    }
    return known == 2;
}

int epitope_notification_receive(int listener, int handover_event, struct epitope_notification *result) {
    /* A received notification must be answered, so the handover event is checked first. And where the ioctl would go on waiting
     * after the last process has gone, poll reports it. */
    if (handover_event >= 0 || !receiving_ends()) {
        struct pollfd waiting[2] = {{.fd = handover_event, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
        if (poll(waiting, 2, -1) < 0) return -errno;
        if (waiting[0].revents) return -ECANCELED;
        if (!(waiting[1].revents & POLLIN)) return -ENOENT;
    }

    /* The kernel's structure may be longer than that of these headers; it requires all bytes to be zero. */
    union {
        struct seccomp_notif notification;
        uint8_t room[512];
    } buffer;
    memset(&buffer, 0, sizeof buffer);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &buffer) != 0) return -errno;
    const struct seccomp_notif *got = &buffer.notification;
    result->id = got->id;
    result->thread = got->pid;
    result->audit_architecture = got->data.arch;
    result->number = got->data.nr;
    result->instruction_pointer = got->data.instruction_pointer;
    for (int index = 0; index < 6; index++) result->arguments[index] = got->data.args[index];
    return 0;
}

bool epitope_listener_is_live(int listener) {
    struct pollfd look = {.fd = listener, .events = POLLIN};
    return poll(&look, 1, 0) >= 0 && !(look.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int answer(int listener, uint64_t id, int error, uint32_t flags) {
    union {
        struct seccomp_notif_resp response;
        uint8_t room[512];
    } buffer;
    memset(&buffer, 0, sizeof buffer);
    buffer.response.id = id;
    buffer.response.error = -error;
    buffer.response.flags = flags;
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &buffer) == 0 ? 0 : -errno;
}

int epitope_notification_continue(int listener, uint64_t id) {
    return answer(listener, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int epitope_notification_deny(int listener, uint64_t id, int error) {
    return answer(listener, id, error, 0);
}

bool epitope_notification_is_valid(int listener, uint64_t id) {
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0) return true;
    return (errno == EINVAL || errno == ENOTTY) && ioctl(listener, ID_VALID_WRONG_DIRECTION, &id) == 0;
}

bool epitope_is_listener(int descriptor) {
    /* No notification has this ID: a listener reports that; other files don't support the request. */
    uint64_t id = 0;
    if (ioctl(descriptor, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0 || errno == ENOENT) return true;
    return ioctl(descriptor, ID_VALID_WRONG_DIRECTION, &id) == 0 || errno == ENOENT;
}

int epitope_listener_set_synchronous(int listener) {
    /* The value is the argument itself, not a pointer to it. */
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0 ? 0 : -errno;
}
