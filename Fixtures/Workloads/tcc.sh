#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int opened = 0;
    for (int n = 0; n < 100; n++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
        opened += connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
        close(descriptor);
    }
    printf("connected %d\n", opened);
    fflush(stdout);
    return system("echo child");
}
C
# A program that is compiled into memory, and run there.
tcc -run work.c
