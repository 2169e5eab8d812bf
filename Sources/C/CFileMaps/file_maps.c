// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CFileMaps.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A program has a handful of files mapped at a time. */
enum { MAPS = 512 };

static struct {
    _Atomic uintptr_t start; /* 0: free; 1: being filled in */
    _Atomic size_t length;
    _Atomic int64_t cut;
} maps[MAPS];

static struct sigaction previous;
static size_t page;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int failure;

/* Only calls that a signal handler may make: mmap is a bare system call. */
static void on_bus_error(int signal, siginfo_t *info, void *context) {
    int saved = errno;
    uintptr_t place = (uintptr_t)info->si_addr;
    for (int number = 0; number < MAPS; number++) {
        uintptr_t start = atomic_load(&maps[number].start);
        size_t length = atomic_load(&maps[number].length);
        if (start <= 1 || place < start || place - start >= length) continue;
        size_t offset = (place - start) & ~(page - 1);
        void *zeros = mmap((void *)(start + offset), length - offset, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        if (zeros == MAP_FAILED) break;
        int64_t known = atomic_load(&maps[number].cut);
        while ((known < 0 || known > (int64_t)offset) && !atomic_compare_exchange_weak(&maps[number].cut, &known, (int64_t)offset)) {}
        errno = saved;
        return;
    }
    errno = saved;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    } else {
        /* The access is repeated, and ends the program as it would have. */
        sigaction(SIGBUS, &previous, NULL);
    }
}

static void install(void) {
    page = (size_t)sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_bus_error;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &previous) != 0) failure = errno;
}

int epitope_map_guard(const void *start, size_t length) {
    pthread_once(&once, install);
    if (failure) return -failure;
    for (int number = 0; number < MAPS; number++) {
        uintptr_t unused = 0;
        if (!atomic_compare_exchange_strong(&maps[number].start, &unused, 1)) continue;
        atomic_store(&maps[number].length, length);
        atomic_store(&maps[number].cut, -1);
        atomic_store(&maps[number].start, (uintptr_t)start);
        return number;
    }
    return -EMFILE;
}

int64_t epitope_map_cut(int number) { return atomic_load(&maps[number].cut); }

void epitope_map_release(int number) { atomic_store(&maps[number].start, 0); }

int64_t epitope_file_system_type(int file) {
    struct statfs status;
    return fstatfs(file, &status) == 0 ? (int64_t)(uint32_t)status.f_type : -errno;
}
