// SPDX-License-Identifier: Apache-2.0

/* Enters one function of the C library from an anonymous page, in one of many ways, so that tests can see what behaviour
 * blocking holds of it. Inert: the function is one call to loopback, or starts /bin/true.
 *
 *   return-stub WAY CALL PORT [BENIGN]
 *
 * CALL: connect, sendto, sendmsg, write, execve. BENIGN: how many such calls this program's image makes before, directly by
 * the function's name; they reach nobody.
 *
 * WAY, where the return address lies in the page:
 *   call, jump, return         the page calls the function; pushes a return address and jumps; pushes both and returns
 *   moved-WAY, heap-WAY        the same on a stack in anonymous memory, or on the heap
 *   middle                     jumps to a system call instruction inside of another function (getppid)
 *   syscall                    calls the library's syscall()
 *   relay, relay-directly      calls this program's image, which calls the function: through a pointer, or by its name
 *   sort                       calls qsort with execv as its comparison (CALL is execve)
 *   long-path                  calls execvp, whose frame is as long as PATH (CALL is execve)
 *   two-threads, two-threads-framed
 *                              calls; a second thread keeps another return address in its place, which follows a call of the
 *                              same function; in the second, in a function whose frame nobody outside can measure
 * where it lies in an image:
 *   plant-none, plant-other, plant-import, plant-register, plant-memory, plant-framed, plant-same
 *                              jumps with a return address in this program: after no call, a call of another function by the
 *                              linkage table or through the import table, a call through a register or through memory, one
 *                              through a register in a function whose frame nobody outside can measure, a call of the same
 *                              function
 *   chain                      the same with two such addresses, the second after no call
 *   middle-planted             as middle, with a return address that follows a call of getppid
 * and where it isn't code, or nobody's:
 *   nowhere                    jumps with a return address where nothing is
 *   signal                     the function handles a signal
 *   image-sort, image-exit, image-thread
 *                              this program's image has qsort, exit or pthread_create call a function of the library
 *   silent-memory              this program's image makes the system call while its stack pointer names memory whose
 *                              faults nobody answers
 *
 * Prints "expected 0x... base 0x... length N process N code HEX" (the return address in the page; the planted one), then
 * "result R errno E" where it comes back. */
#include "return_stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

extern char **environ;
enum { PAGE = 4096, STACK = 64 * PAGE };

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(99);
}

static void *map(size_t length, int protection) {
    void *memory = mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    return memory;
}

static const uint8_t *page;

static void announce(const uint8_t *address) {
    size_t length = (size_t)(stubs_end - stubs_start);
    printf("expected 0x%lx base 0x%lx length %zu process %d code ", (unsigned long)address, (unsigned long)page, length, getpid());
    for (size_t index = 0; index < length; index++) printf("%02x", page[index]);
    printf("\n");
    fflush(stdout);
}

static const uint8_t *in_page(const uint8_t *label) { return page + (label - stubs_start); }

static long run(const uint8_t *stub, const uint8_t *back, struct order *order) {
    announce(in_page(back));
    errno = 0;
    return ((stub_function *)(uintptr_t)in_page(stub))(order);
}

static int starts(const char *text, const char *beginning) { return strncmp(text, beginning, strlen(beginning)) == 0; }

/* By what relay_directly knows a call. */
static char name_of(const char *call) {
    static const char names[] = "ctmwe";
    static const char *const calls[] = {"connect", "sendto", "sendmsg", "write", "execve"};
    for (int index = 0; index < 5; index++)
        if (strcmp(call, calls[index]) == 0) return names[index];
    return 0;
}

static const uint8_t *system_call_of_getppid(void) {
    const uint8_t *code = (const uint8_t *)(uintptr_t)getppid;
    for (int index = 0; index < 64; index++)
        if (code[index] == 0x0f && code[index + 1] == 0x05) return code + index;
    fprintf(stderr, "getppid has no system call instruction\n");
    exit(98);
}

/* A system call with the stack pointer elsewhere: nothing is put on that stack. */
static long call_on_stack(long number, const long *arguments, void *stack) {
    long result;
    register long fourth __asm__("r10") = arguments[3];
    register long fifth __asm__("r8") = arguments[4];
    register long sixth __asm__("r9") = arguments[5];
    __asm__ volatile("mov %%rsp, %%r12; mov %[stack], %%rsp; syscall; mov %%r12, %%rsp"
                     : "=a"(result)
                     : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(fourth), "r"(fifth), "r"(sixth), [stack] "r"(stack)
                     : "rcx", "r11", "r12", "memory");
    return result;
}

/* The word below the stub's frame: where its call puts the return address. */
static volatile uintptr_t *slot;
static volatile int has_begun, has_ended;
static const uint8_t *shown;

static void *show_another(void *unused) {
    uintptr_t real = (uintptr_t)in_page(call_back);
    while (!has_begun) {}
    while (!has_ended) {
        if (*slot == real) *slot = (uintptr_t)shown;
    }
    return unused;
}

int main(int count, char **words) {
    if (count < 4 || count > 5) return 97;
    const char *way = words[1], *call = words[2];
    uint16_t port = (uint16_t)atoi(words[3]);
    size_t length = (size_t)(stubs_end - stubs_start);
    uint8_t *writable = map(PAGE, PROT_READ | PROT_WRITE);
    memcpy(writable, stubs_start, length);
    if (mprotect(writable, PAGE, PROT_READ | PROT_EXEC) != 0) fail("mprotect");
    page = writable;

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct iovec piece = {"inert", 5};
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &piece, .msg_iovlen = 1};
    char *arguments[] = {"true", NULL};
    struct order order = {0};
    long *a = order.arguments;
    const uint8_t *same = NULL, *framed = NULL;
    int descriptor = socket(AF_INET, strcmp(call, "connect") == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);
    a[0] = descriptor;
    if (strcmp(call, "connect") == 0) {
        order.function = connect, order.number = SYS_connect, same = site_of_connect, framed = framed_site_of_connect;
        a[1] = (long)&address, a[2] = sizeof address;
    } else if (strcmp(call, "sendto") == 0) {
        order.function = sendto, order.number = SYS_sendto, same = site_of_sendto, framed = framed_site_of_sendto;
        a[1] = (long)"inert", a[2] = 5, a[4] = (long)&address, a[5] = sizeof address;
    } else if (strcmp(call, "sendmsg") == 0) {
        order.function = sendmsg, order.number = SYS_sendmsg, same = site_of_sendmsg, framed = framed_site_of_sendmsg;
        a[1] = (long)&message;
    } else if (strcmp(call, "write") == 0) {
        if (connect(descriptor, (void *)&address, sizeof address) != 0) fail("connect");
        order.function = write, order.number = SYS_write, same = site_of_write, framed = framed_site_of_write;
        a[1] = (long)"inert", a[2] = 5;
    } else if (strcmp(call, "execve") == 0) {
        order.function = execve, order.number = SYS_execve, same = site_of_execve, framed = framed_site_of_execve;
        a[0] = (long)"/bin/true", a[1] = (long)arguments, a[2] = (long)environ;
    } else {
        fprintf(stderr, "unknown call %s\n", call);
        return 98;
    }

    for (int benign = count == 5 ? atoi(words[4]) : 0; benign > 0; benign--) {
        /* No such descriptor, or no such program. */
        struct order refused = order;
        refused.arguments[0] = strcmp(call, "execve") == 0 ? (long)"" : -1;
        relay_directly(&refused, name_of(call));
    }

    const char *manner = way;
    if (starts(way, "moved-")) {
        order.stack = (uint8_t *)map(STACK, PROT_READ | PROT_WRITE) + STACK / 2;
        manner = way + 6;
    } else if (starts(way, "heap-")) {
        /* Small enough to lie in the heap itself, with room for the function's own frames. */
        order.stack = (uint8_t *)sbrk(STACK) + STACK / 2;
        manner = way + 5;
    }

    long result;
    if (strcmp(manner, "call") == 0) {
        result = run(call_stub, call_back, &order);
    } else if (strcmp(manner, "jump") == 0) {
        result = run(jump_stub, jump_back, &order);
    } else if (strcmp(manner, "return") == 0) {
        result = run(return_stub, return_back, &order);
    } else if (strcmp(way, "middle") == 0) {
        order.function = (void *)(uintptr_t)system_call_of_getppid();
        result = run(jump_stub, jump_back, &order);
    } else if (strcmp(way, "syscall") == 0) {
        /* Its seventh argument would lie on the stack: a datagram's receiver is connected instead. */
        if (strcmp(call, "sendto") == 0) {
            if (connect(descriptor, (void *)&address, sizeof address) != 0) fail("connect");
            a[4] = a[5] = 0;
        }
        order.function = syscall;
        memmove(&a[1], &a[0], 5 * sizeof *a);
        a[0] = order.number;
        result = run(call_stub, call_back, &order);
    } else if (strcmp(way, "relay") == 0 || strcmp(way, "relay-directly") == 0) {
        struct order outer = {
            .function = way[5] ? (void *)relay_directly : (void *)relay, .arguments = {(long)&order, name_of(call)}};
        result = run(call_stub, call_back, &outer);
    } else if (starts(way, "plant-") || strcmp(way, "middle-planted") == 0 || strcmp(way, "nowhere") == 0) {
        const char *what = way + 6;
        order.planted = (void *)(uintptr_t)(way[0] == 'n' ? (const uint8_t *)0x10 : way[0] == 'm' ? site_of_other_call
            : strcmp(what, "none") == 0 ? site_without_call : strcmp(what, "other") == 0 ? site_of_other_call
            : strcmp(what, "import") == 0 ? site_of_other_import : strcmp(what, "register") == 0 ? site_of_register_call
            : strcmp(what, "memory") == 0 ? site_of_memory_call : strcmp(what, "framed") == 0 ? site_of_framed_call : same);
        if (way[0] == 'm') order.function = (void *)(uintptr_t)system_call_of_getppid();
        announce(order.planted);
        errno = 0;
        result = ((stub_function *)(uintptr_t)in_page(planted_stub))(&order);
    } else if (strcmp(way, "chain") == 0) {
        order.planted = (void *)(uintptr_t)site_of_register_call;
        order.chained = (void *)(uintptr_t)site_without_call;
        announce(order.planted);
        errno = 0;
        result = ((stub_function *)(uintptr_t)in_page(chained_stub))(&order);
    } else if (starts(way, "two-threads")) {
        pthread_t thread;
        uint8_t *stack = (uint8_t *)map(STACK, PROT_READ | PROT_WRITE) + STACK / 2;
        order.stack = stack;
        slot = (volatile uintptr_t *)(stack - 8);
        shown = strcmp(way, "two-threads-framed") == 0 ? framed : same;
        if (pthread_create(&thread, NULL, show_another, NULL) != 0) fail("thread");
        announce(in_page(call_back));
        has_begun = 1;
        errno = 0;
        result = ((stub_function *)(uintptr_t)in_page(call_stub))(&order);
        has_ended = 1;
        pthread_join(thread, NULL);
    } else if (strcmp(way, "long-path") == 0) {
        enum { LONG = 100000 };
        char *path = malloc(LONG);
        if (!path) fail("malloc");
        memset(path, 'x', LONG);
        memcpy(path, "PATH=/bin:/", 11);
        path[LONG - 1] = 0;
        environ = (char *[]){path, NULL};
        order.function = execvp, a[0] = (long)"true", a[1] = (long)arguments;
        result = run(call_stub, call_back, &order);
    } else if (strcmp(way, "sort") == 0 || strcmp(way, "image-sort") == 0) {
        /* Two elements of 32 bytes: a path, and the arguments. */
        static _Alignas(16) char elements[64] = "/bin/true";
        memcpy(elements + 32, arguments, sizeof arguments);
        order = (struct order){.function = qsort, .arguments = {(long)elements, 2, 32, (long)execv}};
        if (way[0] == 's') {
            result = run(call_stub, call_back, &order);
        } else {
            announce(page);
            errno = 0;
            qsort(elements, 2, 32, (int (*)(const void *, const void *))(void *)execv);
            result = 0;
        }
    } else if (strcmp(way, "image-exit") == 0) {
        announce(page);
        on_exit((void (*)(int, void *))(void *)listen, (void *)1);
        exit(descriptor);
    } else if (strcmp(way, "image-thread") == 0) {
        pthread_t thread;
        announce(page);
        if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)system, "/bin/true") != 0) fail("thread");
        void *status = NULL;
        pthread_join(thread, &status);
        result = (long)(intptr_t)status;
    } else if (strcmp(way, "silent-memory") == 0) {
        int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
        struct uffdio_api api = {.api = UFFD_API};
        uint8_t *silent = map(STACK, PROT_READ | PROT_WRITE);
        struct uffdio_register range = {.range = {(uintptr_t)silent, STACK}, .mode = UFFDIO_REGISTER_MODE_MISSING};
        if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 || ioctl(faults, UFFDIO_REGISTER, &range) != 0) fail("userfaultfd");
        announce(page);
        result = call_on_stack(order.number, a, silent + STACK / 2);
        errno = result < 0 ? (int)-result : 0;
    } else if (strcmp(way, "signal") == 0) {
        struct sigaction action = {.sa_flags = SA_SIGINFO};
        action.sa_sigaction = (void (*)(int, siginfo_t *, void *))order.function;
        announce(page);
        if (sigaction(SIGUSR1, &action, NULL) != 0 || raise(SIGUSR1) != 0) fail("signal");
        result = 0;
    } else {
        fprintf(stderr, "unknown way %s\n", way);
        return 98;
    }
    if (strcmp(call, "execve") != 0) result = (int)result;
    int error = errno;
    /* A system call instruction by itself sets no errno. */
    if (starts(way, "middle") && result < 0) error = (int)-result;
    printf("result %ld errno %d\n", result, error);
    return 0;
}
