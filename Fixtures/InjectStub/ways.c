// SPDX-License-Identifier: Apache-2.0

/* How another process's memory can be written. */
#include "inject_stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void poke(pid_t process, uint8_t *to, const uint8_t *code, size_t length) {
    for (size_t done = 0; done < length; done += sizeof(long)) {
        long word = 0;
        memcpy(&word, code + done, length - done < sizeof word ? length - done : sizeof word);
        if (ptrace(PTRACE_POKETEXT, process, to + done, word) != 0) fail("PTRACE_POKETEXT");
    }
}

/* The file of a process's memory, by one of many paths. */
static int open_memory(const char *way, pid_t process) {
    char path[64], task[64], link[] = "/var/tmp/epitope-XXXXXX";
    snprintf(path, sizeof path, "/proc/%d/mem", process);
    snprintf(task, sizeof task, "task/%d/mem", process);
    if (strcmp(way, "device-relative") == 0) {
        path[strlen(path) - 4] = 0;
        return chdir(path) == 0 ? open("mem", O_WRONLY) : -1;
    }
    if (strcmp(way, "device-beneath") == 0) {
        struct open_how how = {.flags = O_RDWR, .resolve = RESOLVE_BENEATH};
        path[strlen(path) - 4] = 0;
        return (int)syscall(SYS_openat2, open(path, O_PATH | O_DIRECTORY), task, &how, sizeof how);
    }
    if (strcmp(way, "device-link") == 0) {
        int made = mkstemp(link);
        if (made < 0 || unlink(link) != 0 || symlink(path, link) != 0) return -1;
        int opened = open(link, O_RDWR);
        unlink(link);
        return opened;
    }
    return open(path, O_RDWR);
}

/* By a ring's request; `fixed`: through a number that the ring has for the file. */
static int write_by_ring(int memory, uint8_t *to, const uint8_t *code, size_t length, int fixed) {
    struct io_uring_params parameters = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 2, &parameters);
    if (ring < 0) fail("io_uring_setup");
    size_t size = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    uint8_t *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, 2 * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    uint8_t *answers = mmap(NULL, parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe), PROT_READ, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    if (queue == MAP_FAILED || entries == MAP_FAILED || answers == MAP_FAILED) fail("ring");
    if (fixed && syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &memory, 1) != 0) fail("io_uring_register");
    entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_WRITE, .fd = fixed ? 0 : memory, .flags = fixed ? IOSQE_FIXED_FILE : 0,
        .addr = (uintptr_t)code, .len = (uint32_t)length, .off = (uintptr_t)to};
    ((unsigned *)(queue + parameters.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(queue + parameters.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1) fail("io_uring_enter");
    return ((struct io_uring_cqe *)(answers + parameters.cq_off.cqes))[0].res;
}

void write_into(const char *way, pid_t process, uint8_t *to, const uint8_t *code, size_t length) {
    struct iovec here = {(void *)code, length}, there = {to, length};
    int status = 0;
    if (strcmp(way, "other") == 0) {
        if (process_vm_writev(process, &here, 1, &there, 1, 0) != (ssize_t)length) fail("process_vm_writev");
    } else if (strcmp(way, "poke") == 0) {
        if (ptrace(PTRACE_ATTACH, process, 0, 0) != 0 || waitpid(process, &status, 0) != process) fail("PTRACE_ATTACH");
        poke(process, to, code, length);
        ptrace(PTRACE_DETACH, process, 0, 0);
    } else if (strcmp(way, "poke-seized") == 0) {
        if (ptrace(PTRACE_SEIZE, process, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, process, 0, 0) != 0 || waitpid(process, &status, 0) != process)
            fail("PTRACE_SEIZE");
        poke(process, to, code, length);
        ptrace(PTRACE_DETACH, process, 0, 0);
    } else if (strcmp(way, "poke-traced") == 0) {
        poke(process, to, code, length);
        ptrace(PTRACE_DETACH, process, 0, 0);
    } else {
        int memory = open_memory(way, process);
        ssize_t written = -1;
        if (memory < 0) fail(way);
        if (strcmp(way, "device-seek") == 0)
            written = lseek(memory, (off_t)(uintptr_t)to, SEEK_SET) < 0 ? -1 : write(memory, code, length);
        else if (strcmp(way, "device-pieces") == 0)
            written = pwritev(memory, &here, 1, (off_t)(uintptr_t)to);
        else if (strcmp(way, "ring") == 0 || strcmp(way, "ring-fixed") == 0)
            written = write_by_ring(memory, to, code, length, way[4] != 0);
        else
            written = pwrite(memory, code, length, (off_t)(uintptr_t)to);
        if (written != (ssize_t)length) fail(way);
    }
}
