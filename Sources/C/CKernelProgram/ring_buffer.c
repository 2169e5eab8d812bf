// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CKernelProgram.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* libbpf's reader releases a record as soon as its callback returns. This one releases it on request: a report that only an agent knew that
 * was then killed must still be there for the next one. */
struct epitope_ring_buffer {
    int map;
    size_t page, size;
    unsigned long *consumer;       /* in the map, which outlives this process: everything before it was released */
    unsigned long *producer;
    const uint8_t *records;        /* mapped twice in a row, so that every record is contiguous */
    unsigned long read;            /* position of the next record */
};

struct epitope_ring_buffer *epitope_ring_buffer_open(int map, int *error) {
    struct bpf_map_info info = {0};
    uint32_t length = sizeof info;
    struct epitope_ring_buffer *ring = calloc(1, sizeof *ring);
    *error = -ENOMEM;
    if (!ring) return NULL;
    ring->map = -1;
    ring->consumer = MAP_FAILED;
    ring->producer = MAP_FAILED;
    ring->page = (size_t)sysconf(_SC_PAGESIZE);
    if (bpf_obj_get_info_by_fd(map, &info, &length) || (ring->map = dup(map)) < 0) goto failed;
    ring->size = info.max_entries;
    ring->consumer = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    ring->producer = mmap(NULL, ring->page + 2 * ring->size, PROT_READ, MAP_SHARED, map, (off_t)ring->page);
    if (ring->consumer == MAP_FAILED || ring->producer == MAP_FAILED) goto failed;
    ring->records = (const uint8_t *)ring->producer + ring->page;
    ring->read = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    *error = 0;
    return ring;
failed:
    *error = -errno;
    epitope_ring_buffer_close(ring);
    return NULL;
}

void epitope_ring_buffer_close(struct epitope_ring_buffer *ring) {
    if (ring->consumer != MAP_FAILED) munmap(ring->consumer, ring->page);
    if (ring->producer != MAP_FAILED) munmap(ring->producer, ring->page + 2 * ring->size);
    if (ring->map >= 0) close(ring->map);
    free(ring);
}

const void *epitope_ring_buffer_next(struct epitope_ring_buffer *ring, size_t *length, uint64_t *position) {
    for (;;) {
        if (ring->read >= __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) return NULL;
        const uint8_t *record = ring->records + (ring->read & (ring->size - 1));
        uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
        if (header & BPF_RINGBUF_BUSY_BIT) return NULL; /* still being written */
        uint32_t bytes = header & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT;
        ring->read += (bytes + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
        if (header & BPF_RINGBUF_DISCARD_BIT) continue;
        *length = bytes;
        *position = ring->read;
        return record + BPF_RINGBUF_HDR_SZ;
    }
}

void epitope_ring_buffer_rewind(struct epitope_ring_buffer *ring) { ring->read = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE); }

void epitope_ring_buffer_release(struct epitope_ring_buffer *ring, uint64_t position) {
    __atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}

bool epitope_ring_buffer_wait(struct epitope_ring_buffer *ring, int milliseconds) {
    /* While there are unreleased records, the kernel reports the ring as readable, but wakes no reader for a new record. */
    if (ring->read != __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE)) {
        usleep(1000);
        return true;
    }
    struct pollfd descriptor = {.fd = ring->map, .events = POLLIN};
    return poll(&descriptor, 1, milliseconds) > 0;
}

int epitope_ring_buffer_count(int map) {
    int error, count = 0;
    size_t length;
    uint64_t position;
    struct epitope_ring_buffer *ring = epitope_ring_buffer_open(map, &error);
    if (!ring) return error;
    while (epitope_ring_buffer_next(ring, &length, &position)) count++;
    epitope_ring_buffer_close(ring);
    return count;
}
