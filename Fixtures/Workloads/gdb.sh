#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A program that is debugged, with breakpoints in the code that calls.
. "$(dirname "$0")/common.sh"
cat >work.c <<'C'
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

int answer(void) { return 42; }

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int opened = 0;
    for (int n = 0; n < 20; n++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
        opened += connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
        close(descriptor);
    }
    printf("connected %d, %d\n", opened, answer());
    return 0;
}
C
clang -O0 -g -o work work.c
# At functions, at the lines around the call, at the call itself, and in the C library.
call=$(objdump -d work | sed -n 's/^ *\([0-9a-f]*\):.*call.*<connect@plt>.*/\1/p' | head -n 1)
{
    printf 'set pagination off\nset confirm off\nset style enabled off\nset breakpoint pending on\nset debuginfod enabled off\nbreak main\nrun\n'
    printf 'break answer\nbreak 14\ntbreak 15\n'
    printf 'break *((char *)main - (char *)0x%s + 0x%s)\nignore 5 1000\nignore 3 1000\n' "$(nm work | sed -n 's/ T main$//p')" "$call"
    # As often as it stops: one command more than that would fail.
    printf 'break getpid\nwhile $_isvoid($_exitcode)\ncontinue\nend\n'
} >commands
gdb -q -nx -batch -x commands ./work 2>/dev/null | grep -a '^connected'
