/* Places an inert stub in unbacked memory of one kind and has it make one call to loopback, so that tests can see
 * what behaviour blocking holds of it.
 *
 *   call-stub FORM PLACE CALL PORT [thread|stale]
 *
 * "stale" is a second thread, the stack below whose frame is full of return addresses into this program: words that
 * the library's frame may leave standing.
 *
 * Prints the caller's address that is to be found and the stub's place, then the call's result:
 *
 *   expected 0x... base 0x... length N code HEX
 *   result R errno E
 *
 * Other uses: call-stub bench COUNT PORT   the mean time of a benign sendto
 *             call-stub repeat COUNT PORT  a direct send, COUNT times from one place
 */
#define _GNU_SOURCE
#include "EpitopeStubs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };
extern char **environ;
typedef long stub_function(long, long, long, long, long, long, long);

/* A page of this program's own text, to be written over. */
__asm__(".pushsection .text\n.balign 4096\nspare_text_page:\n.fill 4096, 1, 0xcc\n.popsection\n");
extern uint8_t spare_text_page[];

struct job {
    const char *form, *place, *call;
    uint16_t port;
    int stale;
};

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(99);
}

static uint8_t *map_file(int descriptor) {
    if (descriptor < 0 || ftruncate(descriptor, PAGE) != 0) fail("file");
    uint8_t *written = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (written == MAP_FAILED) fail("mmap");
    return written;
}

/* Copies code to the place asked for, executable. `stack` is room on the stack. */
static uint8_t *put(const char *place, const uint8_t *code, size_t length, uint8_t *stack) {
    uint8_t *page;
    if (strcmp(place, "heap") == 0) {
        page = (uint8_t *)(((uintptr_t)sbrk(2 * PAGE) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    } else if (strcmp(place, "stack") == 0) {
        page = (uint8_t *)(((uintptr_t)stack + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    } else if (strcmp(place, "anonymous") == 0) {
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    } else if (strcmp(place, "low") == 0) {
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    } else if (strcmp(place, "large") == 0) {
        page = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page != MAP_FAILED) page += 7 * PAGE + 1000;
        memcpy(page, code, length);
        return page;
    } else if (strcmp(place, "shared-anonymous") == 0) {
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    } else if (strcmp(place, "memory-file") == 0 || strcmp(place, "unlinked-tmpfs") == 0 || strcmp(place, "deleted-image") == 0) {
        char shared[] = "/dev/shm/epitope-XXXXXX", image[] = "/var/tmp/epitope-XXXXXX";
        int descriptor = place[0] == 'm' ? memfd_create("stub", 0) : mkstemp(place[0] == 'u' ? shared : image);
        uint8_t *written = map_file(descriptor);
        memcpy(written, code, length);
        munmap(written, PAGE);
        if (place[0] == 'u') unlink(shared);
        if (place[0] == 'd') unlink(image);
        page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor, 0);
        if (page == MAP_FAILED) fail("mmap");
        return page;
    } else if (strcmp(place, "written-by-device") == 0) {
        /* The same page, through /proc/self/mem: no right of the mapping is changed. */
        int memory = open("/proc/self/mem", O_RDWR);
        if (memory < 0 || pwrite(memory, code, length, (off_t)(uintptr_t)spare_text_page) != (ssize_t)length) fail("/proc/self/mem");
        close(memory);
        return spare_text_page;
    } else if (strcmp(place, "written-page") == 0) {
        page = spare_text_page;
        if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
    } else {
        fprintf(stderr, "unknown place %s\n", place);
        exit(98);
    }
    if (page == MAP_FAILED) fail("mmap");
    memcpy(page, code, length);
    int protection = PROT_READ | PROT_EXEC | (strcmp(place, "stack") == 0 || strcmp(place, "heap") == 0 ? PROT_WRITE : 0);
    if (mprotect(page, PAGE, protection) != 0) fail("mprotect");
    return page;
}

/* Fills the stack below the caller's frame with an address of this program's own that follows a call instruction. */
static __attribute__((noinline)) void litter(void) {
    void *volatile words[512];
    for (int index = 0; index < 512; index++) words[index] = __builtin_return_address(0);
    __asm__ volatile("" : : "r"(words) : "memory");
}

static void announce(const uint8_t *base, size_t length, size_t caller) {
    printf("expected 0x%lx base 0x%lx length %zu code ", (unsigned long)(base + caller), (unsigned long)base, length);
    for (size_t index = 0; index < length; index++) printf("%02x", base[index]);
    printf("\n");
    fflush(stdout);
}

/* A ring with one send in it, not yet handed over; `polled`: a thread of the kernel's takes it without a call. */
static int prepare_ring(int datagrams, const char *payload, unsigned length, int polled) {
    struct io_uring_params parameters = {.flags = polled ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 1000};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring < 0) fail("io_uring_setup");
    size_t size = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    uint8_t *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, parameters.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entries == MAP_FAILED) fail("ring");
    entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_SEND, .fd = datagrams, .addr = (uint64_t)(uintptr_t)payload, .len = length};
    ((unsigned *)(queue + parameters.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(queue + parameters.sq_off.tail), 1, __ATOMIC_RELEASE);
    return ring;
}

static void *run(void *context) {
    const struct job *job = context;
    uint8_t stack[3 * PAGE];
    int direct = strcmp(job->form, "direct") == 0, narrow = strcmp(job->form, "int80") == 0;
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

    const uint8_t *code = direct ? epitope_stub_direct : narrow ? epitope_stub_int80 : epitope_stub_library;
    size_t length = direct ? sizeof epitope_stub_direct : narrow ? sizeof epitope_stub_int80 : sizeof epitope_stub_library;
    size_t caller = direct ? EPITOPE_STUB_DIRECT_CALLER : narrow ? EPITOPE_STUB_INT80_CALLER : EPITOPE_STUB_LIBRARY_CALLER;
    uint8_t *base = put(job->place, code, length, stack);

    /* What the call points to lies below 4 GiB, where a 32-bit call can reach it too. */
    struct {
        struct sockaddr_in address;
        char payload[128];
        struct iovec piece[2];
        struct mmsghdr messages[2];
        char path[32], name[32], *arguments[2];
    } *data = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
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
    for (int index = 0; index < 2; index++)
        data->messages[index].msg_hdr = (struct msghdr){
            .msg_name = &data->address, .msg_namelen = sizeof data->address, .msg_iov = data->piece, .msg_iovlen = 2};
    strcpy(data->path, "/bin/true");
    strcpy(data->name, "true");
    data->arguments[0] = data->name;

    long number = 0, a[6] = {0};
    void *function = NULL;
    int is_datagram = strncmp(call, "send", 4) == 0;
    int descriptor = socket(AF_INET, is_datagram ? SOCK_DGRAM : SOCK_STREAM, 0);
    long address = (long)&data->address, address_length = sizeof data->address;
    if (strcmp(call, "exec") == 0) {
        number = narrow ? 11 : SYS_execve, function = execve;
        a[0] = (long)data->path, a[1] = narrow ? 0 : (long)data->arguments, a[2] = narrow ? 0 : (long)environ;
    } else if (strcmp(call, "system") == 0) {
        function = system, a[0] = (long)data->path;
    } else if (strcmp(call, "connect") == 0) {
        number = narrow ? 362 : SYS_connect, function = connect;
        a[0] = descriptor, a[1] = address, a[2] = address_length;
    } else if (strcmp(call, "bind") == 0) {
        data->address.sin_port = 0;
        number = narrow ? 361 : SYS_bind, function = bind;
        a[0] = descriptor, a[1] = address, a[2] = address_length;
    } else if (strcmp(call, "listen") == 0) {
        number = SYS_listen, function = listen, a[0] = descriptor, a[1] = 1;
    } else if (strcmp(call, "accept") == 0) {
        number = SYS_accept4, function = accept4, a[0] = descriptor;
    } else if (strcmp(call, "send") == 0) {
        number = narrow ? 369 : SYS_sendto, function = sendto;
        a[0] = descriptor, a[1] = (long)data->payload, a[2] = (long)payload, a[4] = address, a[5] = address_length;
    } else if (strcmp(call, "sendmsg") == 0) {
        number = SYS_sendmsg, function = sendmsg, a[0] = descriptor, a[1] = (long)&data->messages[0].msg_hdr;
    } else if (strcmp(call, "sendmmsg") == 0) {
        number = SYS_sendmmsg, function = sendmmsg, a[0] = descriptor, a[1] = (long)data->messages, a[2] = 2;
    } else if (strcmp(call, "write") == 0 || strcmp(call, "writev") == 0) {
        /* The fixture's own image connects: that is no business of the stub's. */
        int datagrams = socket(AF_INET, SOCK_DGRAM, 0), whole = call[5] == 0;
        if (connect(datagrams, (void *)&data->address, sizeof data->address) != 0) fail("connect");
        number = whole ? SYS_write : SYS_writev, function = whole ? (void *)write : (void *)writev;
        a[0] = datagrams, a[1] = whole ? (long)data->payload : (long)data->piece, a[2] = whole ? (long)payload : 2;
    } else if (strcmp(call, "sendfile") == 0 || strcmp(call, "splice") == 0) {
        int datagrams = socket(AF_INET, SOCK_DGRAM, 0), file = memfd_create("payload", 0), ends[2], splices = call[1] == 'p';
        if (connect(datagrams, (void *)&data->address, sizeof data->address) != 0) fail("connect");
        if (pipe(ends) != 0 || write(ends[1], "inert", 5) != 5) fail("pipe");
        if (write(file, "inert", 5) != 5 || lseek(file, 0, SEEK_SET) != 0) fail("file");
        number = splices ? SYS_splice : SYS_sendfile, function = splices ? (void *)splice : (void *)sendfile;
        a[0] = splices ? ends[0] : datagrams, a[1] = splices ? 0 : file, a[2] = splices ? datagrams : 0;
        a[3] = splices ? 0 : 5, a[4] = 5;
    } else if (strcmp(call, "ring") == 0 || strcmp(call, "ring-poll") == 0) {
        int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
        if (connect(datagrams, (void *)&data->address, sizeof data->address) != 0) fail("connect");
        int ring = prepare_ring(datagrams, data->payload, 5, call[4] != 0);
        number = SYS_io_uring_enter, function = syscall;
        if (direct) a[0] = ring, a[1] = 1, a[2] = 1, a[3] = 1 /* IORING_ENTER_GETEVENTS */;
        else a[0] = SYS_io_uring_enter, a[1] = ring, a[2] = 1, a[3] = 1, a[4] = 1;
        if (call[4] != 0) usleep(200000); /* the kernel's thread takes it by itself */
    } else {
        fprintf(stderr, "unknown call %s\n", call);
        exit(98);
    }
    announce(base, length, caller);
    errno = 0;
    if (job->stale) litter();
    long first = direct || narrow ? number : (long)function;
    long result = ((stub_function *)base)(first, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (!direct && !narrow) result = (int)result; /* most of these functions return an int */
    int error = result >= 0 ? 0 : direct || narrow ? (int)-result : errno;
    printf("result %ld errno %d\n", result, error);
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
    if (count == 4 && strcmp(arguments[1], "repeat") == 0) return repeat(atol(arguments[2]), (uint16_t)atoi(arguments[3]));
    if (count < 5) return 97;
    struct job job = {arguments[1], arguments[2], arguments[3], (uint16_t)atoi(arguments[4])};
    job.stale = count > 5 && strcmp(arguments[5], "stale") == 0;
    if (job.stale || (count > 5 && strcmp(arguments[5], "thread") == 0)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, &job) != 0) fail("thread");
        pthread_join(thread, NULL);
    } else {
        run(&job);
    }
    return 0;
}
