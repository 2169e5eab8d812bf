// SPDX-License-Identifier: Apache-2.0

/* A program that changes its own code, or runs other code, in one of several ways, and then connects a datagram socket to
 * loopback, which sends nothing. Compiled by the tests that need it.
 *
 * usage: own-code WAY [first|child|linger|exec]   prints "connected" or "refused" and the errno
 *        own-code posed FILE [child]
 *                             puts another file in the place of its program, in a user namespace, and calls from anonymous
 *                             memory through the library, itself or by a child; prints "posed" where that was possible
 *
 * WAY "traced": a parent traces the program as a debugger does, with a breakpoint in the instruction that calls; it prints
 * which signals the program was sent, but for those of the breakpoint.
 * A second word: connects before the change, too; "child": the change and the call are a child's; "linger": stays;
 * "exec": runs another program then, which stays. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* mov $42, %eax (connect); syscall; ret */
static const unsigned char connecting[] = {0xb8, 42, 0, 0, 0, 0x0f, 0x05, 0xc3};
/* mov $1, %eax; ret */
static const unsigned char returning[] = {0xb8, 1, 0, 0, 0, 0xc3};

typedef long call(int, const void *, long);

static struct sockaddr_in address;

/* A page of code of its own: one function that calls, and one that nobody calls, with room for another. */
__asm__(".section .text.page,\"ax\",@progbits\n"
        ".balign 4096\n"
        ".globl calling\n"
        ".type calling, @function\n"
        "calling:\n"
        "  push %rbp\n"
        "  mov %rsp, %rbp\n"
        "  call connect@PLT\n"
        "  cltq\n"
        "  pop %rbp\n"
        "  ret\n"
        ".balign 64\n"
        ".globl unused\n"
        "unused:\n"
        "  push %rbp\n"
        "  mov %rsp, %rbp\n"
        "  mov $7, %eax\n"
        "  pop %rbp\n"
        "  ret\n"
        ".balign 64\n"
        ".globl waiting\n"
        "waiting:\n"
        "  .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n" /* where a probe may call */
        "  ret\n"
#ifdef TEXT_RELOCATION
        ".balign 8\n"
        "  .quad data\n"
        "  .quad connect\n"
#endif
        ".balign 64\n"
        "landing:\n"
        "  ret\n"
        ".balign 4096\n"
        ".previous\n");
/* The library returns to an address that no call stands before, in the page or elsewhere. */
__asm__(".text\n"
        ".globl planting\n"
        "planting:\n"
        "  lea landing(%rip), %rax\n"
        "  push %rax\n"
        "  jmp connect@PLT\n"
        ".globl planting_beside\n"
        "planting_beside:\n"
        "  lea landing_beside(%rip), %rax\n"
        "  push %rax\n"
        "  jmp connect@PLT\n"
        ".balign 64\n"
        "landing_beside:\n"
        "  ret\n"
        ".previous\n");
extern call calling, planting, planting_beside;
extern unsigned char unused[];
void waiting(void);

/* Has the library begin a context with its own function that calls, twice. */
static long call_by_context(int descriptor, const void *place, long length) {
    static ucontext_t here, there;
    static char stack[64 << 10];
    for (int count = 0; count < 2; count++) {
        getcontext(&there);
        there.uc_stack.ss_sp = stack;
        there.uc_stack.ss_size = sizeof stack;
        there.uc_link = &here;
        makecontext(&there, (void (*)(void))connect, 3, descriptor, place, (int)length);
        swapcontext(&here, &there);
    }
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    return getpeername(descriptor, (struct sockaddr *)&peer, &size);
}

static unsigned char data[PAGE] __attribute__((aligned(4096)));

static void protect(void *page, int protection) {
    if (mprotect((void *)((size_t)page & ~(size_t)(PAGE - 1)), PAGE, protection) != 0) perror("mprotect");
}

static void overwrite(unsigned char *place, const void *bytes, size_t count, int protection) {
    protect(place, PROT_READ | PROT_WRITE);
    memcpy(place, bytes, count);
    protect(place, protection);
}

/* sub $8, %rsp; call *%rcx; add $8, %rsp; ret */
static const unsigned char calling_on[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3};

typedef long call_of(int, const void *, long, void *);

/* Copies of this program's mappings take their places: while its file is mapped the kernel lets nothing replace it. */
static void unmap_program(void) {
    static struct { unsigned long start, end; int protection; } mappings[32];
    char own[4096], line[8192], rights[5];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (length < 0 || !maps) exit(98);
    own[length] = 0;
    while (count < 32 && fgets(line, sizeof line, maps)) {
        if (!strstr(line, own) || sscanf(line, "%lx-%lx %4s", &mappings[count].start, &mappings[count].end, rights) != 3) continue;
        mappings[count++].protection = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) | (rights[2] == 'x' ? PROT_EXEC : 0);
    }
    fclose(maps);
    for (int index = 0; index < count; index++) {
        size_t size = mappings[index].end - mappings[index].start;
        void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(copy, (void *)mappings[index].start, size);
        protect(copy, mappings[index].protection);
        mprotect(copy, size, mappings[index].protection);
        if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)mappings[index].start) == MAP_FAILED) perror("mremap");
    }
}

/* Puts a file in the place of this program, as whoever restores a process from a checkpoint does. 0, or -1. */
static int pose(const char *file) {
    static char text[4096];
    struct prctl_mm_map map = {.exe_fd = (unsigned)open(file, O_RDONLY)};
    if (unshare(CLONE_NEWUSER) != 0) perror("unshare");
    unmap_program();
    int state = open("/proc/self/stat", O_RDONLY);
    ssize_t length = read(state, text, sizeof text - 1);
    if (length < 0) exit(98);
    text[length] = 0;
    /* The fields from the third on, behind the name in parentheses (proc(5)). */
    unsigned long long field[53] = {0};
    char *next = strrchr(text, ')') + 4;
    for (int index = 4; index <= 51; index++) field[index] = strtoull(next, &next, 10);
    map.start_code = field[26], map.end_code = field[27], map.start_stack = field[28];
    map.start_data = field[45], map.end_data = field[46], map.start_brk = field[47];
    map.arg_start = field[48], map.arg_end = field[49], map.env_start = field[50], map.env_end = field[51];
    map.brk = (unsigned long)sbrk(0);
    return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

static long call_from_memory(int descriptor) {
    unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, calling_on, sizeof calling_on);
    errno = 0;
    return (int)((call_of *)page)(descriptor, &address, sizeof address, (void *)connect);
}

static call *change(const char *way) {
    static const unsigned char breakpoints[] = {0xcc, 0xcc};
    const int code = PROT_READ | PROT_EXEC;
    unsigned char old[64];
    memcpy(old, unused, sizeof old);
    if (strcmp(way, "breakpoint") == 0) overwrite(unused, breakpoints, 1, code);
    if (strcmp(way, "writable") == 0) overwrite(unused, breakpoints, 1, code | PROT_WRITE);
    if (strcmp(way, "adjacent") == 0) overwrite(unused, breakpoints, 2, code);
    if (strcmp(way, "code") == 0) overwrite(unused, returning, sizeof returning, code);
    if (strcmp(way, "restored") == 0) {
        overwrite(unused, returning, sizeof returning, code);
        overwrite(unused, old, sizeof returning, code);
    }
    if (strcmp(way, "copied") == 0 || strcmp(way, "copied-changed") == 0) {
        /* As programs put their code on huge pages: a copy in the place of the image. */
        unsigned char *page = (unsigned char *)calling;
        unsigned char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(copy, page, PAGE);
        if (way[6] != 0) memcpy(copy + (unused - page), returning, sizeof returning);
        protect(copy, code);
        if (mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page) == MAP_FAILED) perror("mremap");
    }
    if (strcmp(way, "over-code") == 0) {
        overwrite(unused, connecting, sizeof connecting, code);
        return (call *)unused;
    }
    if (strcmp(way, "planted") == 0 || strcmp(way, "planted-beside") == 0) {
        overwrite(unused, returning, sizeof returning, code);
        return way[7] ? planting_beside : planting;
    }
    if (strcmp(way, "planted-library") == 0) {
        /* A breakpoint in the library's page that calls, where nobody comes by. */
        unsigned char *page = (unsigned char *)((size_t)connect & ~(size_t)(PAGE - 1));
        overwrite(page, breakpoints, 1, code);
        return planting_beside;
    }
    if (strcmp(way, "data") == 0) {
        overwrite(data, connecting, sizeof connecting, code);
        return (call *)data;
    }
    if (strcmp(way, "anonymous") == 0) {
        unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        overwrite(page, connecting, sizeof connecting, code);
        return (call *)page;
    }
    if (strcmp(way, "context") == 0) {
        overwrite(unused, breakpoints, 1, code);
        return call_by_context;
    }
    if (strcmp(way, "behind") == 0) {
        /* The program's own function, called by other code: sub $8, %rsp; mov $calling, %rax; call *%rax; add $8, %rsp; ret */
        static unsigned char behind[] = {0x48, 0x83, 0xec, 0x08, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x48, 0x83, 0xc4, 0x08, 0xc3};
        call *called = calling;
        memcpy(behind + 6, &called, sizeof called);
        unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        overwrite(page, behind, sizeof behind, code);
        return (call *)page;
    }
    return calling;
}

enum { CALL_IN_CALLING = 4 };

/* Traces a child that waits for it, and steps over the breakpoint each time, as debuggers do: the breakpoint is in its place again when
 * the function is entered. */
static int trace(pid_t child) {
    unsigned char *place = (unsigned char *)calling + CALL_IN_CALLING;
    int status = 0, signal = 0;
    waitpid(child, &status, 0);
    long word = ptrace(PTRACE_PEEKTEXT, child, place, 0), trapping = (word & ~0xffL) | 0xcc;
    if (ptrace(PTRACE_POKETEXT, child, place, trapping) != 0) perror("ptrace");
    for (;;) {
        ptrace(PTRACE_CONT, child, 0, signal);
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return WEXITSTATUS(status);
        signal = WSTOPSIG(status);
        if (signal != SIGTRAP) {
            if (signal != SIGURG) printf("signal %d\n", signal);
            continue;
        }
        struct user_regs_struct registers;
        ptrace(PTRACE_GETREGS, child, 0, &registers);
        registers.rip = (unsigned long)place;
        ptrace(PTRACE_SETREGS, child, 0, &registers);
        ptrace(PTRACE_POKETEXT, child, place, word);
        ptrace(PTRACE_SINGLESTEP, child, 0, 0);
        waitpid(child, &status, 0);
        ptrace(PTRACE_POKETEXT, child, place, trapping);
        signal = 0;
    }
}

int main(int count, char **arguments) {
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    const char *way = count > 1 ? arguments[1] : "";
    if (count > 2 && strcmp(way, "posed") == 0) {
        if (pose(arguments[2]) == 0) puts("posed");
        fflush(stdout);
        if (count > 3 && fork() != 0) {
            wait(NULL);
            return 0;
        }
        printf("process %d\n", getpid());
        long result = call_from_memory(descriptor);
        if (result == 0) puts("connected");
        else printf("refused %d\n", errno);
        return 0;
    }
    if (strcmp(way, "traced") == 0) {
        pid_t child = fork();
        if (child != 0) return trace(child);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
    }
    /* Once as ever: what is told of a packed program's code is what it is at its first call. */
    if (count > 2 && calling(descriptor, &address, sizeof address) != 0) puts("the first call was refused");
    if (count > 2 && strcmp(arguments[2], "child") == 0) {
        fflush(stdout);
        if (fork() != 0) {
            wait(NULL);
            return 0;
        }
    }
    call *function = change(way);
    waiting();
    errno = 0;
    long result = function(descriptor, &address, sizeof address);
    if (result == 0) puts("connected");
    else printf("refused %d\n", result < -1 ? (int)-result : errno);
    fflush(stdout);
    if (count > 2 && strcmp(arguments[2], "linger") == 0) pause();
    if (count > 2 && strcmp(arguments[2], "exec") == 0) execl("/bin/sleep", "sleep", "60", (char *)0);
    return 0;
}
