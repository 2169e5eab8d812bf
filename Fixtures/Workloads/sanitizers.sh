#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that compilers instrument: their checkers stand before the C library's functions, and look for leaks at the end by
# a thread that stops all others.
. "$(dirname "$0")/common.sh"
for sanitizer in address undefined memory; do
    clang -O1 -g -pthread -fsanitize=$sanitizer -o $sanitizer "$workloads/calls.c"
    echo "$sanitizer $(./$sanitizer)"
done
