// SPDX-License-Identifier: Apache-2.0

/* The capabilities of a process, and how it drops them. They belong to the calling thread alone: call these before there is a
 * second thread. Functions return 0, or negative errno. */
#pragma once

#include <stdint.h>

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
