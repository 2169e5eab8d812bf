// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CPrivileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library has no functions for these two. */
static int get(struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return syscall(SYS_capget, &header, data) == 0 ? 0 : -errno;
}

static int set(const struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

int epitope_permitted_capabilities(uint64_t *capabilities) {
    struct __user_cap_data_struct data[2] = {{0}};
    int result = get(data);
    *capabilities = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return result;
}

int epitope_keep_capabilities(uint64_t capabilities) {
    struct __user_cap_data_struct data[2] = {{0}};
    data[0].permitted = data[0].effective = (uint32_t)capabilities;
    data[1].permitted = data[1].effective = (uint32_t)(capabilities >> 32);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) return -errno;
    return set(data);
}

int epitope_drop_from_bounding_set(int capability) { return prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) ? -errno : 0; }

int epitope_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0; }

int epitope_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0; }
