// SPDX-License-Identifier: Apache-2.0

#include "CPrivileges.h"

#include <malloc.h>

int epitope_limit_memory_pools(int count) {
    return mallopt(M_ARENA_MAX, count) == 1 ? 0 : -1;
}
