// SPDX-License-Identifier: Apache-2.0

/* Mappings of files that others may cut short: what is gone reads as zeros instead of ending the program. And what file system a
 * file is on. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Guards a read-only mapping, which must stay until it is released: the first access behind the file's end (SIGBUS) puts zero
 * pages in place of that page and all behind it. The first call sets the process's handler of SIGBUS, which passes on every
 * signal that is about other memory. The mapping's number, or negative errno (EMFILE: too many are guarded). */
int epitope_map_guard(const void *start, size_t length);

/* Where the mapping was cut: the offset of the first zero page, or -1 as long as all of it could be read. */
int64_t epitope_map_cut(int number);

/* Ends the guard, before the mapping is removed. */
void epitope_map_release(int number);

/* The type of the file system that an open file, or a handle on one (O_PATH), is on: a number of linux/magic.h (fstatfs(2), which
 * Swift doesn't import); negative errno. */
int64_t epitope_file_system_type(int file);
