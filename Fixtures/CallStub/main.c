// SPDX-License-Identifier: Apache-2.0

/* Places an inert stub in unbacked memory of one kind and has it make one call to loopback, so that tests can see
 * what behaviour blocking holds of it.
 *
 *   call-stub FORM PLACE CALL PORT [MODE]
 *
 * MODE is another way of being a process (modes.c): a thread; one whose first thread has gone (orphan); a child that shares
 * memory (sharing-child), or that its parent waits for (vfork); one that a signal interrupts every millisecond (storm).
 * "stale" is a thread, the stack below whose frame is full of return addresses into this program: words that the library's
 * frame may leave standing. "linger" ends when it is killed. FORM x32 is a direct
 * call by the x32 interface's number.
 *
 * Prints the caller's address that is to be found and the stub's place, then the call's result:
 *
 *   expected 0x... base 0x... length N process N code HEX
 *   result R errno E
 *
 * Other uses: call-stub bench COUNT PORT   the mean time of a benign sendto
 *             call-stub replaced COUNT PORT   the same, its own file unlinked, as an upgrade leaves a running program
 *             call-stub repeat COUNT PORT  a direct send, COUNT times from one place
 *             call-stub change COUNT PORT  the same, each time by other code
 *             call-stub rewrite COUNT PORT the same, COUNT times from one place, its code written anew before each
 *             call-stub hold COUNT PORT    COUNT threads send what never arrives in memory, until it is killed
 *             call-stub wait COUNT 0       COUNT processes with executable memory, until it is killed
 *             call-stub write-ended COUNT 0   writes to the memory of COUNT processes that have ended
 *             call-stub churn COUNT PORT   the same as "repeat" from COUNT places, while threads keep the address space busy
 */
#include "call_stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
typedef long stub_function(long, long, long, long, long, long, long);

struct job {
    const char *form, *place, *call;
    uint16_t port;
    int stale, lingers;
};

/* Fills the stack below the caller's frame with an address of this program's own that follows a call instruction. */
static __attribute__((noinline)) void litter(void) {
    void *volatile words[512];
    for (int index = 0; index < 512; index++) words[index] = __builtin_return_address(0);
    __asm__ volatile("" : : "r"(words) : "memory");
}

static void announce(const uint8_t *base, size_t length, size_t caller) {
    printf("expected 0x%lx base 0x%lx length %zu process %d code ", (unsigned long)(base + caller), (unsigned long)base, length, getpid());
    for (size_t index = 0; index < length; index++) printf("%02x", base[index]);
    printf("\n");
    fflush(stdout);
}

/* A socket that this program's own image connects: that is no business of the stub's. */
static int connected(const struct sockaddr_in *address) {
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    if (connect(datagrams, (const void *)address, sizeof *address) != 0) fail("connect");
    return datagrams;
}

enum { MESSAGES = 40 }; /* more than are listed in a report */

static void *run(void *context) {
    const struct job *job = context;
    uint8_t stack[3 * PAGE];
    int is_x32 = strcmp(job->form, "x32") == 0, direct = is_x32 || strcmp(job->form, "direct") == 0, is_32bit = strcmp(job->form, "int80") == 0;
    const char *call = job->call;

    if (strcmp(job->form, "datagram") == 0) {
        uint8_t code[EPITOPE_STUB_DATAGRAM_LENGTH];
        size_t length = epitope_stub_datagram(code, INADDR_LOOPBACK, job->port);
        uint8_t *base = put(job->place, code, length, stack);
        announce(base, length, EPITOPE_STUB_DATAGRAM_CALLER);
        long result = ((long (*)(void))base)();
        printf("result %ld errno %ld\n", result, result < 0 ? -result : 0);
        return NULL;
    }

    const uint8_t *code = direct ? epitope_stub_direct : is_32bit ? epitope_stub_int80 : epitope_stub_library;
    size_t length = direct ? sizeof epitope_stub_direct : is_32bit ? sizeof epitope_stub_int80 : sizeof epitope_stub_library;
    size_t caller = direct ? EPITOPE_STUB_DIRECT_CALLER : is_32bit ? EPITOPE_STUB_INT80_CALLER : EPITOPE_STUB_LIBRARY_CALLER;
    uint8_t *base = put(job->place, code, length, stack);

    /* What the call points to lies below 4 GiB, where a 32-bit call can reach it too. */
    struct {
        struct sockaddr_in address;
        char payload[192];
        struct iovec piece[2];
        struct mmsghdr messages[MESSAGES];
        char path[32], name[32], *arguments[2];
        struct iovec copy[3];
        struct iocb request, *requests;
        struct io_uring_params ring;
        pthread_t thread;
    } *data = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (data == MAP_FAILED) fail("mmap");
    data->address.sin_family = AF_INET;
    data->address.sin_port = htons(job->port);
    data->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    strcpy(data->payload, "inert");
    size_t payload = 5;
    if (strcmp(call, "send-copy") == 0) {
        memcpy(data->payload + 7, base, length); /* its own code, at an odd place among other bytes */
        payload = 7 + length + 3;
        call = "send";
    }
    data->piece[0] = (struct iovec){data->payload, 2};
    data->piece[1] = (struct iovec){data->payload + 2, payload - 2};
    /* Its own code: in the last of three pieces, or where it lies. */
    memcpy(data->payload + 64, base, length < 64 ? length : 64);
    data->copy[0] = data->copy[1] = data->piece[0];
    data->copy[2] = (struct iovec){data->payload + 64, length < 64 ? length : 64};
    for (int index = 0; index < MESSAGES; index++)
        data->messages[index].msg_hdr = (struct msghdr){
            .msg_name = &data->address, .msg_namelen = sizeof data->address, .msg_iov = data->piece, .msg_iovlen = 2};
    strcpy(data->path, "/bin/true");
    strcpy(data->name, "true");
    data->arguments[0] = data->name;

    long number = 0, a[6] = {0};
    struct io_uring_sqe after = {0};
    void *function = NULL;
    int is_datagram = strncmp(call, "send", 4) == 0;
    int descriptor = socket(AF_INET, is_datagram ? SOCK_DGRAM : SOCK_STREAM, 0);
    long address = (long)&data->address, address_length = sizeof data->address;
    if (strcmp(call, "exec") == 0) {
        number = is_32bit ? 11 : SYS_execve, function = execve;
        a[0] = (long)data->path, a[1] = is_32bit ? 0 : (long)data->arguments, a[2] = is_32bit ? 0 : (long)environ;
    } else if (strcmp(call, "system") == 0) {
        function = system, a[0] = (long)data->path;
    } else if (strcmp(call, "connect") == 0) {
        number = is_32bit ? 362 : SYS_connect, function = connect;
        a[0] = descriptor, a[1] = address, a[2] = address_length;
    } else if (strcmp(call, "bind") == 0) {
        data->address.sin_port = 0;
        number = is_32bit ? 361 : SYS_bind, function = bind;
        a[0] = descriptor, a[1] = address, a[2] = address_length;
    } else if (strcmp(call, "listen") == 0) {
        number = SYS_listen, function = listen, a[0] = descriptor, a[1] = 1;
    } else if (strcmp(call, "accept") == 0) {
        number = SYS_accept4, function = accept4, a[0] = descriptor;
    } else if (strcmp(call, "pause") == 0) {
        number = is_32bit ? 29 : SYS_pause, function = pause; /* waits for a signal: for core dumps */
    } else if (strcmp(call, "send") == 0) {
        number = is_32bit ? 369 : SYS_sendto, function = sendto;
        a[0] = descriptor, a[1] = (long)data->payload, a[2] = (long)payload, a[4] = address, a[5] = address_length;
    } else if (strcmp(call, "sendmsg") == 0) {
        number = SYS_sendmsg, function = sendmsg, a[0] = descriptor, a[1] = (long)&data->messages[0].msg_hdr;
    } else if (strcmp(call, "sendmmsg") == 0) {
        number = SYS_sendmmsg, function = sendmmsg, a[0] = descriptor, a[1] = (long)data->messages, a[2] = 2;
    } else if (strcmp(call, "write") == 0 || strcmp(call, "writev") == 0) {
        int datagrams = connected(&data->address), whole = call[5] == 0;
        number = whole ? SYS_write : SYS_writev, function = whole ? (void *)write : (void *)writev;
        a[0] = datagrams, a[1] = whole ? (long)data->payload : (long)data->piece, a[2] = whole ? (long)payload : 2;
    } else if (strcmp(call, "sendfile") == 0 || strcmp(call, "splice") == 0) {
        int datagrams = connected(&data->address), file = memfd_create("payload", 0), ends[2], splices = call[1] == 'p';
        if (pipe(ends) != 0 || write(ends[1], "inert", 5) != 5) fail("pipe");
        if (write(file, "inert", 5) != 5 || lseek(file, 0, SEEK_SET) != 0) fail("file");
        number = splices ? SYS_splice : SYS_sendfile, function = splices ? (void *)splice : (void *)sendfile;
        a[0] = splices ? ends[0] : datagrams, a[1] = splices ? 0 : file, a[2] = splices ? datagrams : 0;
        a[3] = splices ? 0 : 5, a[4] = 5;
    } else if (strcmp(call, "sendmsg-copy") == 0) {
        data->messages[0].msg_hdr.msg_iov = data->copy, data->messages[0].msg_hdr.msg_iovlen = 3;
        number = SYS_sendmsg, function = sendmsg, a[0] = descriptor, a[1] = (long)&data->messages[0].msg_hdr;
    } else if (strcmp(call, "sendmmsg-copy") == 0 || strcmp(call, "sendmmsg-self") == 0) {
        /* A copy of its code in the second message, or the code itself in the last of many. */
        int copies = call[9] == 'c', last = copies ? 1 : MESSAGES - 1;
        if (!copies) data->copy[2].iov_base = base;
        data->messages[last].msg_hdr.msg_iov = data->copy, data->messages[last].msg_hdr.msg_iovlen = 3;
        number = SYS_sendmmsg, function = sendmmsg, a[0] = descriptor, a[1] = (long)data->messages, a[2] = last + 1;
    } else if (strcmp(call, "pwritev2") == 0) {
        int datagrams = connected(&data->address);
        number = SYS_pwritev2, function = pwritev2, a[0] = datagrams, a[1] = (long)data->piece, a[2] = 2, a[3] = -1;
        if (direct) a[4] = -1;
    } else if (strcmp(call, "submit") == 0) {
        aio_context_t queue = 0;
        if (syscall(SYS_io_setup, 4, &queue) != 0) fail("io_setup");
        data->request = (struct iocb){.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (uint32_t)connected(&data->address),
            .aio_buf = (uint64_t)(uintptr_t)data->payload, .aio_nbytes = 5};
        data->requests = &data->request;
        number = SYS_io_submit, function = syscall;
        int shift = direct ? 0 : 1;
        a[0] = SYS_io_submit, a[shift] = (long)queue, a[shift + 1] = 1, a[shift + 2] = (long)&data->requests;
    } else if (strcmp(call, "start") == 0) {
        /* The thread runs the library's own function: nothing of the stub's is on its stack. */
        function = pthread_create, a[0] = (long)&data->thread, a[2] = (long)system, a[3] = (long)data->path;
    } else if (strcmp(call, "spawn") == 0) {
        function = posix_spawn, a[1] = (long)data->path, a[4] = (long)data->arguments, a[5] = (long)environ;
    } else if (strncmp(call, "ring", 4) == 0) {
        enum ring_form form = strcmp(call, "ring-aside") == 0 ? RING_ASIDE : strcmp(call, "ring-later") == 0 ? RING_LATER :
            strcmp(call, "ring-poll") == 0 || strcmp(call, "ring-setup") == 0 ? RING_POLLED : RING_AT_ONCE;
        struct io_uring_sqe request = {.opcode = IORING_OP_SEND, .fd = connected(&data->address), .addr = (uint64_t)(uintptr_t)data->payload, .len = 5};
        if (strcmp(call, "ring-connect") == 0)
            request = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = socket(AF_INET, SOCK_STREAM, 0), .addr = (uint64_t)address, .off = sizeof data->address};
        int shift = direct ? 0 : 1;
        function = syscall;
        if (strcmp(call, "ring-setup") == 0) {
            /* The stub makes the ring; what is put into it is sent without a further call. */
            data->ring = (struct io_uring_params){.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1000};
            number = SYS_io_uring_setup;
            a[0] = number, a[shift] = 4, a[shift + 1] = (long)&data->ring;
            after = request;
        } else {
            int ring = make_ring(form, &data->ring);
            unsigned count = fill_ring(ring, &data->ring, form, request);
            number = SYS_io_uring_enter;
            a[0] = number, a[shift] = ring, a[shift + 1] = count, a[shift + 2] = form == RING_AT_ONCE || form == RING_POLLED;
            a[shift + 3] = a[shift + 2] ? IORING_ENTER_GETEVENTS : 0;
            if (form == RING_POLLED) usleep(200000); /* the kernel's thread takes it by itself */
        }
    } else {
        fprintf(stderr, "unknown call %s\n", call);
        exit(98);
    }
    if (is_x32) number = 0x40000000 | (number == SYS_execve ? 520 : number);
    announce(base, length, caller);
    errno = 0;
    if (job->stale) litter();
    long first = direct || is_32bit ? number : (long)function;
    long result = ((stub_function *)base)(first, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (!direct && !is_32bit) result = (int)result; /* most of these functions return an int */
    int error = result >= 0 ? 0 : direct || is_32bit ? (int)-result : errno;
    if (data->thread) pthread_join(data->thread, NULL);
    if (after.opcode && result >= 0) fill_ring((int)result, &data->ring, RING_POLLED, after);
    if (strncmp(call, "ring", 4) == 0) usleep(150000); /* for what is carried out later, in a call of this program's own */
    printf("result %ld errno %d\n", result, error);
    if (job->lingers) linger();
    return NULL;
}

static int bench(long count, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long index = 0; index < count; index++) sendto(descriptor, "x", 1, 0, (void *)&address, sizeof address);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double nanoseconds = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
    printf("nanoseconds %.0f\n", nanoseconds / (double)count);
    return 0;
}

static int repeat(long count, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long descriptor = socket(AF_INET, SOCK_DGRAM, 0), denied = 0;
    stub_function *stub = (stub_function *)put("anonymous", epitope_stub_direct, sizeof epitope_stub_direct, NULL);
    for (long index = 0; index < count; index++)
        denied += stub(SYS_sendto, descriptor, (long)"x", 1, 0, (long)&address, sizeof address) == -EPERM;
    printf("denied %ld\n", denied);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "bench") == 0) return bench(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count == 4 && strcmp(arguments[1], "replaced") == 0) {
        char own[4096] = "";
        if (readlink("/proc/self/exe", own, sizeof own - 1) < 0 || unlink(own) != 0) fail("unlink");
        return bench(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    }
    if (count == 4 && strcmp(arguments[1], "repeat") == 0) return repeat(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count == 4 && strcmp(arguments[1], "rewrite") == 0) return rewrite(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count == 4 && strcmp(arguments[1], "change") == 0) return change(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count == 4 && strcmp(arguments[1], "hold") == 0) return hold(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count == 4 && strcmp(arguments[1], "wait") == 0) return wait_with(atol(arguments[2]));
    if (count == 4 && strcmp(arguments[1], "write-ended") == 0) return write_ended(atol(arguments[2]));
    if (count == 4 && strcmp(arguments[1], "churn") == 0) return churn(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count < 5) return 97;
    static struct job job; /* outlives the first thread */
    job = (struct job){arguments[1], arguments[2], arguments[3], (uint16_t)atoi(arguments[4]), 0, 0};
    job.stale = count > 5 && strcmp(arguments[5], "stale") == 0;
    job.lingers = count > 5 && strcmp(arguments[5], "linger") == 0;
    run_as(count > 5 && !job.lingers ? arguments[5] : NULL, run, &job);
    return 0;
}
