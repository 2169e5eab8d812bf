// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* "EPTREC01" in little-endian order. Another layout has another number. */
#define MAGIC 0x3130434552545045ull
#define MAX_MESSAGE_BYTES (4u << 20)
/* The file can't shrink while it is mapped. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int map(int descriptor, size_t size, struct epitope_record **record) {
    *record = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return *record == MAP_FAILED ? -errno : 0;
}

int epitope_record_make(const void *message, uint32_t length, struct epitope_record **record) {
    size_t size = sizeof **record + length;
    int descriptor = memfd_create("epitope-container", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -errno;
    int error = length > MAX_MESSAGE_BYTES ? -EMSGSIZE : 0;
    if (!error && (ftruncate(descriptor, (off_t)size) || fcntl(descriptor, F_ADD_SEALS, SEALS))) error = -errno;
    if (!error) error = map(descriptor, size, record);
    if (error) {
        close(descriptor);
        return error;
    }
    memcpy((*record)->message, message, length);
    (*record)->length = length;
    (*record)->magic = MAGIC;
    return descriptor;
}

int epitope_record_open(int descriptor, struct epitope_record **record) {
    struct stat status;
    if (fstat(descriptor, &status)) return -errno;
    /* Only memory files have seals. */
    if ((fcntl(descriptor, F_GET_SEALS) & SEALS) != SEALS || status.st_size < (off_t)sizeof **record
        || status.st_size > (off_t)(sizeof **record + MAX_MESSAGE_BYTES))
        return -EINVAL;
    int error = map(descriptor, (size_t)status.st_size, record);
    if (error) return error;
    if ((*record)->magic == MAGIC && (*record)->length == (size_t)status.st_size - sizeof **record) return 0;
    munmap(*record, (size_t)status.st_size);
    return -EINVAL;
}

void epitope_record_close(struct epitope_record *record) { munmap(record, sizeof *record + record->length); }

void epitope_record_call(struct epitope_record *record, const struct epitope_notification *call) {
    uint8_t next = !record->last;
    record->calls[next] = *call;
    __atomic_store_n(&record->last, next, __ATOMIC_RELEASE);
    __atomic_store_n(&record->has_call, 1, __ATOMIC_RELEASE);
}

bool epitope_record_last_call(const struct epitope_record *record, struct epitope_notification *call) {
    if (!__atomic_load_n(&record->has_call, __ATOMIC_ACQUIRE)) return false;
    *call = record->calls[__atomic_load_n(&record->last, __ATOMIC_ACQUIRE) & 1];
    return true;
}

int epitope_handover_event_create(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor >= 0 ? descriptor : -errno;
}

int epitope_handover_event_signal(int handover_event) { return eventfd_write(handover_event, 1) ? -errno : 0; }
