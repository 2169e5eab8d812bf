// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CProcessFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC 0x4000
#endif

int epitope_open_path(int folder, const char *path, int flags) {
    int handle = openat(folder, path, O_PATH | O_CLOEXEC | flags);
    return handle >= 0 ? handle : -errno;
}

int epitope_handle_facts(int handle, struct epitope_file_facts *facts) {
    struct statx state = {0};
    if (syscall(SYS_statx, handle, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &state) != 0) return -errno;
    *facts = (struct epitope_file_facts){
        .inode = state.stx_ino, .size = state.stx_size, .mount = state.stx_mask & STATX_MNT_ID ? state.stx_mnt_id : 0,
        .device_major = state.stx_dev_major, .device_minor = state.stx_dev_minor, .links = state.stx_nlink, .mode = state.stx_mode,
        .changed_seconds = state.stx_ctime.tv_sec, .changed_nanoseconds = state.stx_ctime.tv_nsec};
    return 0;
}
