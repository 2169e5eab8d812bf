// SPDX-License-Identifier: Apache-2.0

/* What a process may do, and how it gives that up. All of it is of the calling thread alone: to be called before there is a
 * second one. Functions return 0, or negative errno. */
#pragma once

#include <stdint.h>

/* The permitted capabilities, bit by number (linux/capability.h). */
int epitope_permitted_capabilities(uint64_t *capabilities);
/* Keeps these of the permitted ones, in force; nothing is inheritable or ambient. */
int epitope_keep_capabilities(uint64_t capabilities);
/* Takes one away from all that is executed from now on. -EINVAL: the kernel knows no such number. */
int epitope_drop_from_bounding_set(int capability);
/* Nothing that is executed gains a right. */
int epitope_no_new_privileges(void);
/* Nobody without CAP_SYS_PTRACE reads this process's memory, and it leaves no core. */
int epitope_not_dumpable(void);
