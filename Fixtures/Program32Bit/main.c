// SPDX-License-Identifier: Apache-2.0

/* A 32-bit program without a library, built by the test that runs it: clang -m32 -nostdlib -static. It makes a connect
 * to 127.0.0.1:9 from its own image, directly and through socketcall, then the same from two stubs in a page of executable
 * memory, one of which makes the call by itself and one by the image's function, and exits with the number of the latter
 * that were denied.
 *
 * The page is mapped by the oldest mmap; with an argument, it is a segment that is attached through ipc. */
typedef unsigned int u32;

static inline int call(u32 number, u32 b, u32 c, u32 d) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(c), "d"(d) : "memory");
    return result;
}

/* ipc(2): which call of System V's, and its arguments. */
static inline int ipc(u32 which, u32 first, u32 second, u32 third) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(117), "b"(which), "c"(first), "d"(second), "S"(third), "D"(0) : "memory");
    return result;
}

static struct {
    unsigned short family, port;
    unsigned char address[4], zero[8];
} address = {2, 0x0900, {127, 0, 0, 1}, {0}};

/* int stub(number, b, c, d): mov the arguments from the stack to registers; int 0x80; ret */
static const unsigned char stub[] = {
    0x53,                    /* push ebx           */
    0x8b, 0x44, 0x24, 0x08,  /* mov eax, [esp + 8]  */
    0x8b, 0x5c, 0x24, 0x0c,  /* mov ebx, [esp + 12] */
    0x8b, 0x4c, 0x24, 0x10,  /* mov ecx, [esp + 16] */
    0x8b, 0x54, 0x24, 0x14,  /* mov edx, [esp + 20] */
    0xcd, 0x80,              /* int 0x80           */
    0x5b,                    /* pop ebx            */
    0xc3,                    /* ret                */
};

/* int stub(function, number, b, c, d): pushes the arguments again; call eax; add esp, 16; ret */
static const unsigned char library_stub[] = {
    0x8b, 0x44, 0x24, 0x04,                          /* mov eax, [esp + 4]   */
    0xff, 0x74, 0x24, 0x14, 0xff, 0x74, 0x24, 0x14,  /* push d; push c       */
    0xff, 0x74, 0x24, 0x14, 0xff, 0x74, 0x24, 0x14,  /* push b; push number  */
    0xff, 0xd0,                                      /* call eax             */
    0x83, 0xc4, 0x10,                                /* add esp, 16          */
    0xc3,                                            /* ret                  */
};
enum { LIBRARY_STUB = 64 }; /* where it lies in the page */

static __attribute__((noinline)) int image_call(u32 number, u32 b, u32 c, u32 d) {
    return call(number, b, c, d);
}

/* A segment that is writable at one address and executable at another. */
static unsigned char *segment(unsigned char **writable) {
    enum { SHMAT = 21, SHMGET = 23, SHMCTL = 24, CREATE = 01700, READ_AND_EXECUTE = 0110000, REMOVE = 0 };
    static u32 at;
    u32 number = (u32)ipc(SHMGET, 0, 4096, CREATE);
    ipc(SHMAT, number, 0, (u32)&at);
    *writable = (unsigned char *)at;
    ipc(SHMAT, number, READ_AND_EXECUTE, (u32)&at);
    ipc(SHMCTL, number, REMOVE, 0);
    return (unsigned char *)at;
}

static __attribute__((used)) void start(u32 count) {
    int descriptor = call(359, 2, 1, 0); /* socket */
    u32 arguments[3] = {(u32)descriptor, (u32)&address, sizeof address};
    call(362, (u32)descriptor, (u32)&address, sizeof address);
    call(102, 3, (u32)arguments, 0);

    static u32 map[6] = {0, 4096, 7, 0x22, (u32)-1, 0};
    unsigned char *writable, *page;
    if (count > 1) page = segment(&writable);
    else page = writable = (unsigned char *)call(90, (u32)map, 0, 0);
    for (u32 index = 0; index < sizeof stub; index++) writable[index] = stub[index];
    for (u32 index = 0; index < sizeof library_stub; index++) writable[LIBRARY_STUB + index] = library_stub[index];
    int (*run)(u32, u32, u32, u32) = (int (*)(u32, u32, u32, u32))page;
    int (*run_library)(void *, u32, u32, u32, u32) = (int (*)(void *, u32, u32, u32, u32))(page + LIBRARY_STUB);
    int denied = 0;
    denied += run(362, (u32)descriptor, (u32)&address, sizeof address) == -1;
    denied += run(102, 3, (u32)arguments, 0) == -1;
    denied += run_library((void *)image_call, 362, (u32)descriptor, (u32)&address, sizeof address) == -1;
    denied += run_library((void *)image_call, 102, 3, (u32)arguments, 0) == -1;
    call(1, (u32)denied, 0, 0);
}

/* The number of arguments lies where the stack begins. */
__asm__(".globl _start\n_start: pushl (%esp)\ncall start\n");
