// SPDX-License-Identifier: Apache-2.0

/* The rights of a process, and how it gives them up: capabilities, Landlock domains, a filter of system calls. They belong to the
 * calling thread alone: call these before there is a second thread. Functions return 0, or negative errno. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* ---- privileges.c ---- */

/* The permitted capabilities, one bit each by number (linux/capability.h). */
int epitope_permitted_capabilities(uint64_t *capabilities);
/* Keeps these of the permitted ones, effective; none is inheritable or ambient. */
int epitope_keep_capabilities(uint64_t capabilities);
/* Removes one from all programs executed from now on. -EINVAL: the kernel has no capability of that number. */
int epitope_drop_from_bounding_set(int capability);
/* Programs executed from now on gain no privileges. */
int epitope_no_new_privileges(void);
/* Only processes with CAP_SYS_PTRACE can read this process's memory, and it writes no core dump. */
int epitope_not_dumpable(void);

/* ---- confinement.c; what restricts needs no_new_privs ---- */

/* The version of the kernel's Landlock ABI, from 1; -ENOSYS or -EOPNOTSUPP: it has none. */
int epitope_landlock_version(void);
/* No file can be opened any more, by any path; as the kernel knows them, no TCP port be bound or connected to, and no process outside
 * be sent a signal. A process in a Landlock domain can't trace, or read the memory of, one outside. */
int epitope_give_up_files(void);
/* Files can be read, and moved or linked to another folder, only if they are beneath these paths; and no process outside can be
 * traced, or sent a signal. All else that files permit stays. */
int epitope_read_only_beneath(const char *const *paths, size_t count);
/* Permits the system calls of a process that answers over sockets that are open, and no others (EPERM). */
int epitope_permit_signing_calls(void);
/* Has the kernel send this process a signal when its parent ends. -ESRCH: that is not its parent any more. */
int epitope_end_with_parent(int signal, int parent);

/* ---- memory.c ---- */

/* mallopt(3), M_ARENA_MAX: the most pools of memory that malloc(3) takes from, in all of the process. -1 where that can't be set. */
int epitope_limit_memory_pools(int count);
