// SPDX-License-Identifier: Apache-2.0

/* Writes an inert stub into another process, its own child, which runs it once: what reaches into a process from outside
 * must be found there.
 *
 *   inject-stub WAY PLACE PORT
 *
 * PLACE in the child is a page that is writable and executable (page), or one of its image's text (text). WAY is how it is
 * written (ways.c). Prints what is to be found, the child's number with it, then the result of the child's send:
 *
 *   expected 0x... base 0x... length N process N code HEX
 *   result R errno E
 */
#include "inject_stub.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A page of this program's own text, at the same place in the child. */
__asm__(".pushsection .text\n.balign 4096\nspare_text_page:\n.fill 4096, 1, 0xcc\n.popsection\n");
extern uint8_t spare_text_page[];

/* The child: tells where its place is, waits, and runs what is there. */
static int be_target(const char *place, uint16_t port, int tell, int wait, int stops) {
    uint8_t *page = spare_text_page, go;
    if (strcmp(place, "page") == 0) page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || write(tell, &page, sizeof page) != sizeof page) fail("page");
    if (stops) raise(SIGSTOP);
    if (read(wait, &go, 1) != 1) return 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long (*stub)(long, long, long, long, long, long, long) = (void *)page;
    long result = stub(SYS_sendto, socket(AF_INET, SOCK_DGRAM, 0), (long)"inert", 5, 0, (long)&address, sizeof address);
    printf("result %ld errno %ld\n", result, result < 0 ? -result : 0);
    return 0;
}

static void announce(pid_t child, const uint8_t *page) {
    printf("expected 0x%lx base 0x%lx length %d process %d code ", (unsigned long)(page + EPITOPE_STUB_DIRECT_CALLER), (unsigned long)page,
           EPITOPE_STUB_DIRECT_LENGTH, child);
    for (int index = 0; index < EPITOPE_STUB_DIRECT_LENGTH; index++) printf("%02x", epitope_stub_direct[index]);
    printf("\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count == 6 && strcmp(arguments[1], "target") == 0)
        return be_target(arguments[2], (uint16_t)atoi(arguments[3]), atoi(arguments[4]), atoi(arguments[5]), 1);
    if (count != 4) return 97;
    const char *way = arguments[1], *place = arguments[2], *port = arguments[3];
    /* Traced by its own wish, then another program: nobody asks for leave any more. */
    int traced = strcmp(way, "poke-traced") == 0, told[2], go[2], status = 0;
    if (pipe(told) != 0 || pipe(go) != 0) fail("pipe");
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!traced) return be_target(place, (uint16_t)atoi(port), told[1], go[0], 0);
        char tell[12], wait[12];
        snprintf(tell, sizeof tell, "%d", told[1]);
        snprintf(wait, sizeof wait, "%d", go[0]);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) fail("PTRACE_TRACEME");
        execl("/proc/self/exe", arguments[0], "target", place, port, tell, wait, NULL);
        fail("exec");
    }
    if (traced) { /* stopped at the exec; the next stop is its own */
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || ptrace(PTRACE_CONT, child, 0, 0) != 0) fail("exec");
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("stop");
    }
    uint8_t *page = NULL;
    if (read(told[0], &page, sizeof page) != sizeof page) fail("page");
    write_into(way, child, page, epitope_stub_direct, sizeof epitope_stub_direct);
    announce(child, page);
    if (write(go[1], "", 1) != 1) fail("pipe");
    /* A tracer sees the signals that a child gets: it goes on with them. */
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) ptrace(PTRACE_CONT, child, 0, WSTOPSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
