// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread char *log_buffer;
static __thread size_t log_size, log_used;

static int print(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (level == LIBBPF_DEBUG || !log_buffer) return 0;
    char *line = NULL;
    int count = vasprintf(&line, format, arguments);
    if (count < 0) return 0;
    /* The verifier's reason is at the end: the beginning is dropped. */
    size_t length = (size_t)count < log_size ? (size_t)count : log_size - 1;
    const char *end = line + count - length;
    if (log_used + length + 1 > log_size) {
        size_t drop = log_used + length + 1 - log_size;
        memmove(log_buffer, log_buffer + drop, log_used - drop);
        log_used -= drop;
    }
    memcpy(log_buffer + log_used, end, length);
    log_used += length;
    log_buffer[log_used] = 0;
    free(line);
    return 0;
}

void epitope_log_to(char *buffer, size_t size) {
    log_buffer = size ? buffer : NULL;
    log_size = size;
    log_used = 0;
    if (log_buffer) log_buffer[0] = 0;
    libbpf_set_print(print);
}
