// SPDX-License-Identifier: Apache-2.0

/* io_uring, as far as the stub's calls need it. */
#include "call_stub.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct __kernel_timespec soon = {.tv_nsec = 50 * 1000 * 1000};

int make_ring(enum ring_form form, struct io_uring_params *parameters) {
    *parameters = (struct io_uring_params){.flags = form == RING_POLLED ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 1000};
    int ring = (int)syscall(SYS_io_uring_setup, 4, parameters);
    if (ring < 0) fail("io_uring_setup");
    return ring;
}

unsigned fill_ring(int ring, const struct io_uring_params *parameters, enum ring_form form, struct io_uring_sqe request) {
    size_t size = parameters->sq_off.array + parameters->sq_entries * sizeof(unsigned);
    uint8_t *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, parameters->sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entries == MAP_FAILED) fail("ring");
    unsigned count = 0;
    if (form == RING_LATER)
        /* A timeout counts as a failure, which only a hard link outlasts. */
        entries[count++] = (struct io_uring_sqe){
            .opcode = IORING_OP_TIMEOUT, .addr = (uint64_t)(uintptr_t)&soon, .len = 1, .flags = IOSQE_IO_HARDLINK};
    if (form == RING_ASIDE) request.flags |= IOSQE_ASYNC;
    entries[count++] = request;
    for (unsigned index = 0; index < count; index++) ((unsigned *)(queue + parameters->sq_off.array))[index] = index;
    __atomic_store_n((unsigned *)(queue + parameters->sq_off.tail), count, __ATOMIC_RELEASE);
    /* The kernel's thread may have gone to sleep before there was anything to do. */
    if (form == RING_POLLED) syscall(SYS_io_uring_enter, ring, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
    return count;
}
