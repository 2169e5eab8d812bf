// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <stdint.h>

/* The counters of a map, EPITOPE_COUNTERS of them, summed over processors. 0, or negative errno. */
int epitope_sum_counters(int map, uint64_t *counters);
