/* A 32-bit program without a library, built by the test that runs it: clang -m32 -nostdlib -static. It makes a connect
 * to 127.0.0.1:9 from its own image, directly and through socketcall, then the same from a stub in anonymous memory,
 * and exits with the number of the latter that were denied. */
typedef unsigned int u32;

static inline int call(u32 number, u32 b, u32 c, u32 d) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(c), "d"(d) : "memory");
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

void _start(void) {
    int descriptor = call(359, 2, 1, 0); /* socket */
    u32 arguments[3] = {(u32)descriptor, (u32)&address, sizeof address};
    call(362, (u32)descriptor, (u32)&address, sizeof address);
    call(102, 3, (u32)arguments, 0);

    u32 map[6] = {0, 4096, 7, 0x22, (u32)-1, 0};
    unsigned char *page = (unsigned char *)call(90, (u32)map, 0, 0);
    for (u32 index = 0; index < sizeof stub; index++) page[index] = stub[index];
    int (*run)(u32, u32, u32, u32) = (int (*)(u32, u32, u32, u32))page;
    int denied = 0;
    denied += run(362, (u32)descriptor, (u32)&address, sizeof address) == -1;
    denied += run(102, 3, (u32)arguments, 0) == -1;
    call(1, (u32)denied, 0, 0);
}
