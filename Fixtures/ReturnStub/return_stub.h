// SPDX-License-Identifier: Apache-2.0

/* What the parts of the program share. */
#pragma once

#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>

/* A function to enter, and how; the offsets are used by stubs.c. */
struct order {
    void *function;    /* 0 */
    long arguments[6]; /* 8 to 48 */
    void *stack;       /* 56: the top of another stack; NULL: the thread's own */
    long number;       /* 64: of a system call, in rax */
    void *planted;     /* 72: the return address of planted_stub */
    void *chained;     /* 80: what lies behind it for chained_stub */
};

typedef long stub_function(struct order *);

/* The stubs, to be copied as a whole, and where each of them begins and returns to. */
extern const uint8_t stubs_start[], stubs_end[];
extern const uint8_t call_stub[], jump_stub[], return_stub[], planted_stub[], chained_stub[];
extern const uint8_t call_back[], jump_back[], return_back[], planted_back[], chained_back[];

/* Return addresses in this program's image: what stands before each is in sites.c. */
extern const uint8_t site_without_call[], site_of_other_call[], site_of_other_import[], site_of_register_call[], site_of_memory_call[], site_of_framed_call[];
extern const uint8_t site_of_connect[], site_of_sendto[], site_of_sendmsg[], site_of_execve[], site_of_write[];
extern const uint8_t framed_site_of_connect[], framed_site_of_sendto[], framed_site_of_sendmsg[], framed_site_of_execve[], framed_site_of_write[];

/* Enter a function from this program's image: through a pointer, and directly by its name. */
long relay(const struct order *order);
long relay_directly(const struct order *order, long name);
