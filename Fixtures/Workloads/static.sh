#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs without a dynamic loader, at a fixed address and at any.
. "$(dirname "$0")/common.sh"
for kind in static static-pie; do
    clang -O1 -pthread -DSTATIC -$kind -fuse-ld=lld -o $kind "$workloads/calls.c"
    echo "$kind $(./$kind)"
done
