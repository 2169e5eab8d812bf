// SPDX-License-Identifier: Apache-2.0

/* What is asked of another process through a handle, which never means a later process of the same number. */
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
    uint32_t local_length, peer_length; /* 0: has none */
};

/* Looks at a socket of a process through a duplicate of its descriptor; 0, or negative errno. */
int epitope_read_socket(pid_t process, int descriptor, struct epitope_socket *result);

struct epitope_file_facts {
    uint64_t inode, size;
    uint64_t mount;                     /* its number in mountinfo; 0: not known (before Linux 5.8) */
    uint32_t device_major, device_minor, links, mode;
};

/* A handle (O_PATH) of what a path leads to, with what the kernel knows of it already: the file system isn't asked, since a
 * process that doesn't answer may stand behind it (FUSE). Negative errno. */
int epitope_file_handle(const char *path, struct epitope_file_facts *facts);

/* What the kernel states of a mapping of an open file: for overlayfs and btrfs another device than fstat does, and
 * for overlayfs another inode, too. Maps a page of it, and looks. */
int epitope_mapped_identity(int descriptor, uint64_t *inode, uint32_t *device_major, uint32_t *device_minor);

/* A handle (O_PATH) of what a path names within a folder, as if the folder were the root: links and ".." lead nowhere else, and
 * what is found is not opened (openat2(2), Linux 5.6). `follows`: whether a link at the path's end is followed. Negative errno. */
int epitope_find_within(int folder, const char *path, int follows);
