#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs whose stack is executable, as old assembly has it: all that points into the stack points to executable memory.
. "$(dirname "$0")/common.sh"
for level in 0 2; do
    clang -O$level -pthread -Wl,-z,execstack -o level$level "$workloads/calls.c"
    ./level$level
done
