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

/* libbpf's reader gives a record's room back as soon as it was looked at. This one gives it back when it is told to: what
 * is known of a report only by an agent that is killed must still be there for the next one. */
struct epitope_ring {
    int map;
    size_t page, size;
    unsigned long *consumer;       /* in the map, which outlives us: everything before it was given back */
    unsigned long *producer;
    const uint8_t *records;        /* twice in a row, so that no record is in two pieces */
    unsigned long taken;
};

struct epitope_ring *epitope_ring_open(int map, int *error) {
    struct bpf_map_info info = {0};
    uint32_t length = sizeof info;
    struct epitope_ring *ring = calloc(1, sizeof *ring);
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
    ring->taken = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    *error = 0;
    return ring;
failed:
    *error = -errno;
    epitope_ring_close(ring);
    return NULL;
}

void epitope_ring_close(struct epitope_ring *ring) {
    if (ring->consumer != MAP_FAILED) munmap(ring->consumer, ring->page);
    if (ring->producer != MAP_FAILED) munmap(ring->producer, ring->page + 2 * ring->size);
    if (ring->map >= 0) close(ring->map);
    free(ring);
}

const void *epitope_ring_take(struct epitope_ring *ring, size_t *length, uint64_t *place) {
    for (;;) {
        if (ring->taken >= __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) return NULL;
        const uint8_t *record = ring->records + (ring->taken & (ring->size - 1));
        uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
        if (header & BPF_RINGBUF_BUSY_BIT) return NULL; /* still being written */
        uint32_t bytes = header & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT;
        ring->taken += (bytes + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
        if (header & BPF_RINGBUF_DISCARD_BIT) continue;
        *length = bytes;
        *place = ring->taken;
        return record + BPF_RINGBUF_HDR_SZ;
    }
}

void epitope_ring_restart(struct epitope_ring *ring) { ring->taken = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE); }

void epitope_ring_give_back(struct epitope_ring *ring, uint64_t place) {
    __atomic_store_n(ring->consumer, place, __ATOMIC_RELEASE);
}

bool epitope_ring_wait(struct epitope_ring *ring, int milliseconds) {
    /* As long as records wait to be given back, the kernel neither wakes a reader for a new one nor lets it sleep. */
    if (ring->taken != __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE)) {
        usleep(1000);
        return true;
    }
    struct pollfd descriptor = {.fd = ring->map, .events = POLLIN};
    return poll(&descriptor, 1, milliseconds) > 0;
}

int epitope_ring_count(int map) {
    int error, count = 0;
    size_t length;
    uint64_t place;
    struct epitope_ring *ring = epitope_ring_open(map, &error);
    if (!ring) return error;
    while (epitope_ring_take(ring, &length, &place)) count++;
    epitope_ring_close(ring);
    return count;
}
