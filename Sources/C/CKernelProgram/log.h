// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <stddef.h>

/* Keeps the end of what libbpf prints on this thread in a buffer; NULL discards it. Process-wide, but for the buffer. */
void epitope_log_to(char *buffer, size_t size);
