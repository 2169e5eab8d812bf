// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* PROCMAP_QUERY of linux/fs.h, Linux 6.11. */
struct procmap_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};
_Static_assert(sizeof(struct procmap_query) == 104, "the kernel's layout");
#define PROCMAP_QUERY_IOCTL _IOWR('f', 17, struct procmap_query)
enum { QUERY_EXECUTABLE = 0x04, QUERY_COVERING_OR_NEXT = 0x10 };

static int query_span(int maps, uint64_t address, uint64_t flags, struct epitope_span *span) {
    struct procmap_query query = {.size = sizeof query, .query_flags = flags, .query_addr = address};
    if (ioctl(maps, PROCMAP_QUERY_IOCTL, &query) != 0) return -errno;
    span->start = query.vma_start;
    span->end = query.vma_end;
    span->offset = query.vma_offset;
    span->inode = query.inode;
    span->device_major = query.dev_major;
    span->device_minor = query.dev_minor;
    span->flags = (uint32_t)(query.vma_flags & 15);
    return 0;
}

int epitope_query_span(int maps, uint64_t address, struct epitope_span *span) {
    return query_span(maps, address, 0, span);
}

int epitope_query_next_code(int maps, uint64_t address, struct epitope_span *span) {
    return query_span(maps, address, QUERY_EXECUTABLE | QUERY_COVERING_OR_NEXT, span);
}

int epitope_query_mapping(int maps, uint64_t address, bool next, struct epitope_mapping *mapping) {
    struct procmap_query query = {
        .size = sizeof query,
        .query_flags = next ? QUERY_EXECUTABLE | QUERY_COVERING_OR_NEXT : 0,
        .query_addr = address,
        .vma_name_size = sizeof mapping->name,
        .vma_name_addr = (uint64_t)(uintptr_t)mapping->name,
    };
    if (ioctl(maps, PROCMAP_QUERY_IOCTL, &query) != 0) return -errno;
    mapping->start = query.vma_start;
    mapping->end = query.vma_end;
    mapping->offset = query.vma_offset;
    mapping->inode = query.inode;
    mapping->device_major = query.dev_major;
    mapping->device_minor = query.dev_minor;
    mapping->flags = (uint32_t)(query.vma_flags & 15);
    mapping->name_length = query.vma_name_size > 0 ? query.vma_name_size - 1 : 0; /* it counts the zero byte */
    return 0;
}

int epitope_read_page_entry(int pagemap, uint64_t address, uint64_t *entry) {
    static long page_size; /* every thread computes the same value */
    if (page_size == 0) page_size = sysconf(_SC_PAGESIZE);
    ssize_t count = pread(pagemap, entry, sizeof *entry, (off_t)(address / (uint64_t)page_size * sizeof *entry));
    return count == (ssize_t)sizeof *entry ? 0 : count < 0 ? -errno : -ENOENT;
}

int epitope_open_mapped_file(pid_t process, uint64_t start, uint64_t end, const char *path) {
    char name[4096 + 64];
    snprintf(name, sizeof name, "/proc/%d/map_files/%llx-%llx", (int)process, (unsigned long long)start,
             (unsigned long long)end);
    int descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor >= 0 || path[0] != '/') return descriptor >= 0 ? descriptor : -errno;
    int length = snprintf(name, sizeof name, "/proc/%d/root%s", (int)process, path);
    if (length < 0 || (size_t)length >= sizeof name) return -ENAMETOOLONG;
    descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return descriptor >= 0 ? descriptor : -errno;
}

int epitope_is_open_for_writing(int descriptor) {
    /* A read lease is refused while any process has the file open or mapped for writing. Should somebody open it in the
     * moment that the lease stands, the signal that tells is one that is ignored. */
    if (fcntl(descriptor, F_SETSIG, SIGURG) != 0) return -errno;
    if (fcntl(descriptor, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(descriptor, F_SETLEASE, F_UNLCK);
        return 0;
    }
    return errno == EAGAIN ? 1 : -errno;
}

int epitope_birth_time(int descriptor, int64_t *seconds, uint32_t *nanoseconds) {
    struct statx status;
    if (statx(descriptor, "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0) return -errno;
    if (!(status.stx_mask & STATX_BTIME)) return -ENOTSUP;
    *seconds = status.stx_btime.tv_sec;
    *nanoseconds = status.stx_btime.tv_nsec;
    return 0;
}

int epitope_open_threads(pid_t process) {
    return epitope_open_process_file(process, "task", O_PATH | O_DIRECTORY);
}

int epitope_thread_count(int task_folder) {
    struct stat status;
    if (fstat(task_folder, &status) != 0) return -errno;
    return status.st_nlink > 2 ? (int)(status.st_nlink - 2) : 0;
}

int epitope_memory_file_device(uint32_t *device_major, uint32_t *device_minor) {
    int descriptor = memfd_create("epitope", MFD_CLOEXEC);
    if (descriptor < 0) return -errno;
    struct stat status;
    int error = fstat(descriptor, &status) == 0 ? 0 : -errno;
    close(descriptor);
    if (error == 0) {
        *device_major = major(status.st_dev);
        *device_minor = minor(status.st_dev);
    }
    return error;
}
