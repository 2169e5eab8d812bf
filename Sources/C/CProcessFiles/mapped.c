// SPDX-License-Identifier: Apache-2.0

#include "CProcessFiles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int epitope_mapped_identity(int descriptor, uint64_t *inode, uint32_t *device_major, uint32_t *device_minor) {
    void *page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (page == MAP_FAILED) return -errno;
    int result = -ENOENT;
    FILE *maps = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t room = 0;
    while (maps && result != 0 && getline(&line, &room, maps) > 0) {
        unsigned long long start, number;
        unsigned int major_number, minor_number;
        if (sscanf(line, "%llx-%*x %*s %*x %x:%x %llu", &start, &major_number, &minor_number, &number) != 4) continue;
        if (start != (uintptr_t)page) continue;
        *inode = number;
        *device_major = major_number;
        *device_minor = minor_number;
        result = 0;
    }
    free(line);
    if (maps) fclose(maps);
    munmap(page, 1);
    return result;
}
