#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
port=$(free_port)
redis-server --port "$port" --bind 127.0.0.1 --dir "$PWD" --save '' --appendonly yes --daemonize no >log 2>&1 &
ends_with_script $!
wait_for_port "$port"
r() { redis-cli -p "$port" "$@"; }
r set key value
r get key
r eval 'local t = 0 for i = 1, 1000 do t = t + i end return t' 0
redis-benchmark -p "$port" -n 2000 -c 5 -q -t set,get >/dev/null && echo 'benchmark ok'
r bgsave >/dev/null
r dbsize
r shutdown nosave || true
