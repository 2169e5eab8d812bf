#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A program that unpacks itself into its own addresses, linked statically and not.
. "$(dirname "$0")/common.sh"
cat >work.c <<'C'
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int opened = 0;
    for (int n = 0; n < 100; n++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
        opened += connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
        close(descriptor);
    }
    printf("connected %d\n", opened);
    fflush(stdout);
    if (fork() == 0) execl("/bin/echo", "echo", "child", (char *)0);
    wait(NULL);
    return 0;
}
C
for way in -static -static-pie; do
    clang -O1 $way -fuse-ld=bfd -o "work$way" work.c
    upx-ucl -q -q -1 "work$way" >/dev/null
done
for way in -static -static-pie; do
    "./work$way"
done
