#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
clang -O1 -g -gdwarf-4 -pthread -o calls "$workloads/calls.c"
valgrind -q ./calls
