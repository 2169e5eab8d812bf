// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <bpf/btf.h>
#include <stdbool.h>

/* A member of a structure by its name; NULL: there is none. */
const struct btf_member *epitope_member(const struct btf *types, const char *type, const char *member);
