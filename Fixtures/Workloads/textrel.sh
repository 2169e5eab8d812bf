#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Code that the dynamic loader writes addresses into, as old hand-written assembly needs: a program's, and a library's. Some of
# them are of functions that are chosen at run time, the C library's and its own; in the last program, some are packed.
. "$(dirname "$0")/common.sh"
cat >work.c <<'C'
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

int datum = 7;
__asm__(".text\n.p2align 4\nplace: .quad datum\n.globl load\nload: movabs $connect, %rax\n"
    "movabs $memcpy, %rax\nmovabs $time, %rax\nmovabs $chosen, %rax\nmov place(%rip), %rcx\nmov (%rcx), %eax\nret\n");
int load(void);

static int seven(void) { return 7; }
static int (*choose(void))(void) { return seven; }
int chosen(void) __attribute__((ifunc("choose")));

int WORK(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int opened = 0;
    for (int n = 0; n < 20; n++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
        opened += connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
        close(descriptor);
    }
    return printf("connected %d, %d\n", opened, load()) < 0;
}
C
echo 'int work(void); int main(void) { return work(); }' >main.c
clang -O1 -fPIE -pie -DWORK=main -Wl,-z,notext -o program work.c
./program
clang -O1 -fPIC -pie -fuse-ld=bfd -DWORK=main -Wl,-z,notext -Wl,-z,pack-relative-relocs -o packed work.c
./packed
clang -O1 -fPIC -shared -DWORK=work -Wl,-z,notext -Wl,-soname,libwork.so -o libwork.so work.c
clang -O1 -o user main.c -L. -lwork -Wl,-rpath,"$PWD"
./user
