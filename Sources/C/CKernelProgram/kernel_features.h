// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "CKernelProgram.h"

/* Whether a program is loaded at a level, on this kernel. */
bool epitope_is_loaded_at(const struct bpf_program *program, enum epitope_level level);
