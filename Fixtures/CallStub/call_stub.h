// SPDX-License-Identifier: Apache-2.0

/* What the parts of the stub program share. */
#pragma once

#define _GNU_SOURCE
#include "EpitopeStubs.h"

#include <linux/io_uring.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 4096 };

static inline _Noreturn void fail(const char *what) {
    perror(what);
    exit(99);
}

/* Copies code to the place asked for, executable; where it lies. `stack` is room of three pages on the stack. */
uint8_t *put(const char *place, const uint8_t *code, size_t length, uint8_t *stack);

/* A ring with requests in it that the kernel has not been told of. */
struct ring {
    int descriptor;
    unsigned *tail;
    struct io_uring_params parameters;
};

/* How the requests of a ring are to be carried out. */
enum ring_form {
    RING_AT_ONCE,    /* within the call that hands them over */
    RING_ASIDE,      /* by a worker of the kernel's */
    RING_LATER,      /* when a timeout has passed */
    RING_POLLED,     /* taken without a call by a thread of the kernel's */
};

/* Makes a ring; for RING_POLLED this is already what hands requests over. */
int make_ring(enum ring_form form, struct io_uring_params *parameters);
/* Puts one request into it, and a timeout before it for RING_LATER. How many there are. */
unsigned fill_ring(int ring, const struct io_uring_params *parameters, enum ring_form form, struct io_uring_sqe request);

/* Runs something with another way of being a process: a thread, a child that shares memory, and so on; NULL: as it is. Does
 * not return where the program ends with it. */
void run_as(const char *mode, void *(*run)(void *), void *context);

/* Waits until the process is killed. */
void linger(void);
/* COUNT direct sends from one place, each by other code than the one before. */
int change(long count, uint16_t port);
/* COUNT direct sends from one place, whose code is written anew before each. Prints how many ended in a trap, and how many came back denied. */
int rewrite(long count, uint16_t port);
/* COUNT threads that send data which never arrives in memory, until the process is killed. */
int hold(long count, uint16_t port);
/* COUNT processes with executable memory that no file backs, until the first of them is killed. */
int wait_with(long count);
/* Writes to the memory of COUNT processes once they have ended. Prints how many there were. */
int write_ended(long count);

/* COUNT direct sends, each from a place of its own, while another thread keeps the address space busy. */
int churn(long count, uint16_t port);

/* From now on a signal comes every millisecond; makes a thousand connections under it, and prints how many came about. */
void storm(void);
