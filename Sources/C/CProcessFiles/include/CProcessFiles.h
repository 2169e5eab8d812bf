// SPDX-License-Identifier: Apache-2.0

/* Access to another process through a handle, which never refers to a later process with the same ID. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* pidfd_open(2), Linux 5.3: a handle of a process; negative errno. */
int epitope_process_handle(pid_t process);

/* pidfd_send_signal(2), Linux 5.1: 0, or negative errno. */
int epitope_pidfd_signal(int handle, int signal);

/* pidfd_getfd(2), Linux 5.6: a copy of another process's descriptor; negative errno. Needs the right to trace it. */
int epitope_pidfd_getfd(int handle, int descriptor);

struct epitope_socket {
    int domain, type;
    uint8_t local[128], peer[128];      /* struct sockaddr_storage */
    uint32_t local_length, peer_length; /* 0: no address */
};

/* Reads the state of a process's socket through a duplicate of its descriptor; 0, or negative errno. */
int epitope_read_socket(pid_t process, int descriptor, struct epitope_socket *result);

/* Whether some socket of the caller's network namespace waits for connections (IPPROTO_TCP) or datagrams (IPPROTO_UDP) at a
 * port: 1, 0, or negative errno where the kernel doesn't tell (sock_diag(7)). */
int epitope_is_served(int protocol, uint16_t port);

struct epitope_file_facts {
    uint64_t inode, size;
    uint64_t mount;                     /* its ID in mountinfo; 0: unknown (before Linux 5.8) */
    uint32_t device_major, device_minor, links, mode;
    int64_t changed_seconds;            /* when anything of it changed last (ctime) */
    uint32_t changed_nanoseconds;
};

/* A handle (O_PATH of open(2), which Swift doesn't import) of what a path leads to from a folder on, or from AT_FDCWD.
 * `flags`: O_DIRECTORY, O_NOFOLLOW. Negative errno. */
int epitope_open_path(int folder, const char *path, int flags);

/* What the kernel knows already of what a handle stands for; 0, or negative errno. The file system isn't asked, since a process
 * that doesn't answer may stand behind it (FUSE). */
int epitope_handle_facts(int handle, struct epitope_file_facts *facts);

/* The inode and device that /proc/PID/maps shows for an open file: on overlayfs and btrfs the device differs from fstat's, and on
 * overlayfs the inode, too. Maps a page of it to find out. */
int epitope_mapped_identity(int descriptor, uint64_t *inode, uint32_t *device_major, uint32_t *device_minor);

/* A handle (O_PATH) of the file at a path within a folder, as if the folder were the root: links and ".." can't lead out of it, and
 * the file is not opened (openat2(2), Linux 5.6). `follows`: whether a link at the path's end is followed. Negative errno. */
int epitope_find_within(int folder, const char *path, int follows);
