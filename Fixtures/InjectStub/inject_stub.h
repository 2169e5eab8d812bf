// SPDX-License-Identifier: Apache-2.0

#pragma once

#define _GNU_SOURCE
#include "EpitopeStubs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline _Noreturn void fail(const char *what) {
    perror(what);
    exit(99);
}

/* Writes code to an address of another process, in the way asked for. */
void write_into(const char *way, pid_t process, uint8_t *to, const uint8_t *code, size_t length);
