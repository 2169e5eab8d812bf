#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that look into others, or into themselves, as debuggers do: strace, a sanitizer that stops its own program's threads to look
# for leaks, an interpreter that opens its own memory for writing.
. "$(dirname "$0")/common.sh"
command -v strace >/dev/null || leave_out "strace is missing"
strace -f -o trace sh -c '/bin/true; echo traced'
grep -c '+++ exited with 0 +++' trace
cat >leak.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int opened = connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&address, sizeof address) == 0;
    printf("connected %d\n", opened);
    return 0;
}
C
clang -fsanitize=address -O0 -g -o leak leak.c 2>/dev/null || leave_out "clang has no address sanitizer"
./leak
python3 -c 'open("/proc/self/mem", "r+b").close(); print("opened")'
