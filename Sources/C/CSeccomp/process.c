// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* "/proc/PID/NAME", written without stdio: every benign call needs it. */
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

pid_t epitope_thread_id(void) {
    return (pid_t)syscall(SYS_gettid);
}

int epitope_read_registers(pid_t thread, struct epitope_registers *registers) {
    int descriptor = epitope_open_process_file(thread, "syscall", O_RDONLY);
    if (descriptor < 0) return descriptor;
    int result = epitope_read_registers_from(descriptor, registers);
    close(descriptor);
    return result;
}

/* Reads "0x" and hexadecimal digits after a space, as the kernel writes them, without strtoull's locale and error: every benign
 * call has eight of them. The end of what was read; NULL where there is no number. */
static const char *read_word(const char *text, uint64_t *word) {
    if (text[0] != ' ' || text[1] != '0' || text[2] != 'x') return NULL;
    text += 3;
    const char *first = text;
    uint64_t value = 0;
    for (;; text++) {
        unsigned int digit = (unsigned char)*text;
        if (digit - '0' < 10) digit -= '0';
        else if (digit - 'a' < 6) digit -= 'a' - 10;
        else break;
        value = value << 4 | digit;
    }
    *word = value;
    return text > first ? text : NULL;
}

int epitope_read_registers_from(int descriptor, struct epitope_registers *registers) {
    char text[256];
    ssize_t length = pread(descriptor, text, sizeof text - 1, 0);
    if (length < 0) return -errno;
    text[length] = 0;
    if (strncmp(text, "running", 7) == 0) return -EBUSY;

    char *end;
    registers->number = strtoll(text, &end, 10);
    if (end == text) return -EPROTO;
    uint64_t values[8];
    int count = 0;
    const char *rest = end;
    while (count < 8 && (rest = read_word(rest, &values[count]))) count++;
    /* In a call: six arguments, stack pointer, program counter. Blocked outside of a call: only the last two. */
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

_Static_assert(sizeof(struct epitope_range) == sizeof(struct iovec), "same layout");

ssize_t epitope_read_ranges(pid_t process, const struct epitope_range *ranges, size_t count, void *bytes) {
    struct iovec local = {.iov_base = bytes, .iov_len = 0};
    for (size_t index = 0; index < count; index++) local.iov_len += ranges[index].length;
    ssize_t read = process_vm_readv(process, &local, 1, (const struct iovec *)ranges, count, 0);
    return read >= 0 ? read : -errno;
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

bool epitope_shares_memory(pid_t one, pid_t other) {
    enum { COMPARE_MEMORY = 1 }; /* KCMP_VM of linux/kcmp.h */
    long result = syscall(SYS_kcmp, one, other, COMPARE_MEMORY, 0, 0);
    return result == 0 || (result < 0 && errno != ESRCH);
}
