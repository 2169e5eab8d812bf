// SPDX-License-Identifier: Apache-2.0

/* Ways of being a process, and of being hard to look at. */
#include "call_stub.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct errand {
    void *(*run)(void *);
    void *context;
};

static int run_in_child(void *context) {
    struct errand *errand = context;
    errand->run(errand->context);
    fflush(stdout);
    return 0;
}

static void *run_after_main(void *context) {
    usleep(50000); /* until the first thread has gone */
    run_in_child(context);
    exit(0);
}

void run_as(const char *mode, void *(*run)(void *), void *context) {
    static struct errand errand; /* outlives the first thread */
    errand = (struct errand){run, context};
    int status = 0;
    pthread_t thread;
    if (!mode) {
        run(context);
    } else if (strcmp(mode, "storm") == 0) {
        storm();
        run(context);
    } else if (strcmp(mode, "thread") == 0 || strcmp(mode, "stale") == 0) {
        if (pthread_create(&thread, NULL, run, context) != 0) fail("thread");
        pthread_join(thread, NULL);
    } else if (strcmp(mode, "orphan") == 0) {
        if (pthread_create(&thread, NULL, run_after_main, &errand) != 0) fail("thread");
        pthread_exit(NULL);
    } else if (strcmp(mode, "sharing-child") == 0) {
        /* Neither a thread nor a vfork: its parent goes on meanwhile. */
        size_t room = 64 * PAGE;
        uint8_t *stack = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pid_t child = stack == MAP_FAILED ? -1 : clone(run_in_child, stack + room, CLONE_VM | SIGCHLD, &errand);
        if (child < 0 || waitpid(child, &status, 0) != child) fail("clone");
    } else if (strcmp(mode, "vfork") == 0) {
        pid_t child = vfork();
        if (child == 0) {
            run_in_child(&errand);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) fail("vfork");
    } else {
        fprintf(stderr, "unknown mode %s\n", mode);
        exit(98);
    }
}

static int ending;

/* Maps and unmaps without a pause, so that the lock of the address space is nearly always held. */
static void *keep_busy(void *context) {
    while (!__atomic_load_n(&ending, __ATOMIC_RELAXED)) {
        void *page = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (page != MAP_FAILED) munmap(page, 16 * PAGE);
    }
    return context;
}

int churn(long count, uint16_t port) {
    enum { APART = 64, THREADS = 2 };
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long descriptor = socket(AF_INET, SOCK_DGRAM, 0), denied = 0;
    uint8_t *region = mmap(NULL, (size_t)count * APART, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) fail("mmap");
    for (long index = 0; index < count; index++) memcpy(region + index * APART, epitope_stub_direct, sizeof epitope_stub_direct);
    pthread_t threads[THREADS];
    for (int index = 0; index < THREADS; index++)
        if (pthread_create(&threads[index], NULL, keep_busy, NULL) != 0) fail("thread");
    for (long index = 0; index < count; index++) {
        long (*stub)(long, long, long, long, long, long, long) = (void *)(region + index * APART);
        denied += stub(SYS_sendto, descriptor, (long)"x", 1, 0, (long)&address, sizeof address) == -EPERM;
    }
    __atomic_store_n(&ending, 1, __ATOMIC_RELAXED);
    for (int index = 0; index < THREADS; index++) pthread_join(threads[index], NULL);
    printf("expected 0x%lx apart %d denied %ld\n", (unsigned long)(region + EPITOPE_STUB_DIRECT_CALLER), APART, denied);
    return 0;
}
