// SPDX-License-Identifier: Apache-2.0

/* Programs that last, or that make the same call in more than one way. */
#include "call_stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef long stub_function(long, long, long, long, long, long, long);

static uint8_t *executable_page(void) {
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail("mmap");
    memcpy(page, epitope_stub_direct, sizeof epitope_stub_direct);
    return page;
}

void linger(void) {
    fflush(stdout);
    for (;;) pause();
}

int change(long count, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    long descriptor = socket(AF_INET, SOCK_DGRAM, 0), denied = 0;
    uint8_t *page = executable_page();
    for (long index = 0; index < count; index++) {
        memset(page + sizeof epitope_stub_direct, (int)(0x90 + index), PAGE - sizeof epitope_stub_direct);
        denied += ((stub_function *)page)(SYS_sendto, descriptor, (long)"x", 1, 0, (long)&address, sizeof address) == -EPERM;
    }
    printf("base 0x%lx process %d denied %ld\n", (unsigned long)page, getpid(), denied);
    return 0;
}

static sigjmp_buf before_trap;

static void go_back(int number) {
    siglongjmp(before_trap, number);
}

int rewrite(long count, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    long descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    volatile long traps = 0, denied = 0;
    uint8_t *page = executable_page();
    signal(SIGTRAP, go_back);
    for (volatile long index = 0; index < count; index++) {
        memcpy(page, epitope_stub_direct, sizeof epitope_stub_direct);
        if (sigsetjmp(before_trap, 1)) traps++;
        else denied += ((stub_function *)page)(SYS_sendto, descriptor, (long)"x", 1, 0, (long)&address, sizeof address) == -EPERM;
    }
    printf("base 0x%lx process %d trapped %ld denied %ld\n", (unsigned long)page, getpid(), traps, denied);
    return 0;
}

int write_ended(long count) {
    for (long index = 0; index < count; index++) {
        int status = 0;
        char path[32];
        pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        snprintf(path, sizeof path, "/proc/%d/mem", child);
        int memory = child < 0 ? -1 : open(path, O_RDWR);
        if (memory < 0 || kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child) fail(path);
        /* Nobody has this address space any more; the open file still names it. */
        if (pwrite(memory, "", 1, (off_t)(uintptr_t)write_ended) == 1 || lseek(memory, (off_t)(uintptr_t)write_ended, SEEK_SET) < 0) fail("pwrite");
        close(memory);
    }
    printf("ended %ld\n", count);
    return 0;
}

static uint8_t *absent, *stub;
static struct sockaddr_in receiver = {.sin_family = AF_INET};

static void *send_absent(void *index) {
    long descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    ((stub_function *)stub)(SYS_sendto, descriptor, (long)(absent + (long)index * PAGE), 5, 0, (long)&receiver, sizeof receiver);
    return NULL;
}

int hold(long count, uint16_t port) {
    receiver.sin_port = htons(port);
    receiver.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    stub = executable_page();
    absent = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* Pages that are asked for, and that nobody brings. */
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register pages = {.range = {(uintptr_t)absent, (uint64_t)count * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 || ioctl(faults, UFFDIO_REGISTER, &pages) != 0) fail("userfaultfd");
    for (long index = 0; index < count; index++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, send_absent, (void *)index) != 0) fail("pthread_create");
    }
    /* Each asks for its page once it is waited for. */
    for (long index = 0; index < count; index++) {
        struct uffd_msg message;
        if (read(faults, &message, sizeof message) != sizeof message) fail("userfaultfd");
    }
    printf("holding %ld\n", count);
    linger();
    return 0;
}

int wait_with(long count) {
    executable_page();
    for (long index = 1; index < count; index++) {
        int child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            linger();
        }
    }
    printf("waiting %ld\n", count);
    linger();
    return 0;
}
