// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* "/proc/PID/NAME", written without stdio: it is on the path of every benign call. */
static void process_path(char *path, pid_t process, const char *name) {
    char digits[16];
    int count = 0;
    unsigned int rest = process > 0 ? (unsigned int)process : 0;
    do digits[count++] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    memcpy(path, "/proc/", 6);
    path += 6;
    while (count > 0) *path++ = digits[--count];
    *path++ = '/';
    size_t length = strnlen(name, 32);
    memcpy(path, name, length);
    path[length] = 0;
}

int epitope_open_process_file(pid_t process, const char *name, int flags) {
    char path[64];
    process_path(path, process, name);
    int descriptor = open(path, flags | O_CLOEXEC);
    return descriptor >= 0 ? descriptor : -errno;
}

int epitope_read_registers(pid_t thread, struct epitope_registers *registers) {
    int descriptor = epitope_open_process_file(thread, "syscall", O_RDONLY);
    if (descriptor < 0) return descriptor;
    int result = epitope_read_registers_from(descriptor, registers);
    close(descriptor);
    return result;
}

int epitope_read_registers_from(int descriptor, struct epitope_registers *registers) {
    char text[256];
    ssize_t length = pread(descriptor, text, sizeof text - 1, 0);
    if (length < 0) return -errno;
    text[length] = 0;
    if (strncmp(text, "running", 7) == 0) return -EBUSY;

    char *rest = text, *end;
    registers->number = strtoll(rest, &end, 10);
    if (end == rest) return -EPROTO;
    rest = end;
    uint64_t values[8];
    int count = 0;
    while (count < 8) {
        values[count] = strtoull(rest, &end, 16);
        if (end == rest) break;
        rest = end;
        count++;
    }
    /* In a call: six arguments, stack pointer, program counter. Blocked outside of one: the last two only. */
    memset(registers->arguments, 0, sizeof registers->arguments);
    if (count == 8) {
        memcpy(registers->arguments, values, sizeof registers->arguments);
        registers->stack_pointer = values[6];
        registers->instruction_pointer = values[7];
        return 0;
    }
    if (count == 2) {
        registers->stack_pointer = values[0];
        registers->instruction_pointer = values[1];
        return 0;
    }
    return -EPROTO;
}

ssize_t epitope_read_memory(pid_t process, uint64_t address, void *bytes, size_t length) {
    struct iovec local = {.iov_base = bytes, .iov_len = length};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};
    ssize_t count = process_vm_readv(process, &local, 1, &remote, 1, 0);
    return count >= 0 ? count : -errno;
}

ssize_t epitope_write_memory(pid_t process, uint64_t address, const void *bytes, size_t length) {
    int descriptor = epitope_open_process_file(process, "mem", O_RDWR);
    if (descriptor < 0) return descriptor;
    size_t written = 0;
    int error = 0;
    while (written < length) {
        ssize_t count = pwrite(descriptor, (const char *)bytes + written, length - written, (off_t)(address + written));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            error = count < 0 ? errno : EIO;
            break;
        }
        written += (size_t)count;
    }
    close(descriptor);
    return written > 0 || error == 0 ? (ssize_t)written : -error;
}

/* linux/fs.h of 6.11. */
struct procmap_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};
_Static_assert(sizeof(struct procmap_query) == 104, "the kernel's layout");
#define PROCMAP_QUERY_IOCTL _IOWR('f', 17, struct procmap_query)
enum { QUERY_EXECUTABLE = 0x04, QUERY_COVERING_OR_NEXT = 0x10 };

int epitope_query_nameless(int maps, uint64_t address, struct epitope_span *span) {
    struct procmap_query query = {.size = sizeof query, .query_addr = address};
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
    static long page_size; /* the same whoever writes it */
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

int epitope_file_state(int descriptor, struct epitope_file_state *state) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -errno;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    *state = (struct epitope_file_state){
        .inode = status.st_ino, .size = (uint64_t)status.st_size,
        .modified_seconds = status.st_mtim.tv_sec, .modified_nanoseconds = status.st_mtim.tv_nsec,
        .changed_seconds = status.st_ctim.tv_sec, .changed_nanoseconds = status.st_ctim.tv_nsec,
        .device_major = major(status.st_dev), .device_minor = minor(status.st_dev),
    };
    return 0;
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

bool epitope_shares_memory(pid_t one, pid_t other) {
    enum { COMPARE_MEMORY = 1 }; /* KCMP_VM of linux/kcmp.h */
    long result = syscall(SYS_kcmp, one, other, COMPARE_MEMORY, 0, 0);
    return result == 0 || (result < 0 && errno != ESRCH);
}
