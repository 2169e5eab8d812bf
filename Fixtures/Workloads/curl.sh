#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
port=$(free_port)
mkdir files
seq 100000 >files/numbers
(cd files && exec python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1) &
ends_with_script $!
wait_for_port "$port"
curl -fsS "http://127.0.0.1:$port/numbers" | sha256sum
curl -fsS --no-progress-meter --parallel -o a -o b "http://localhost:$port/numbers" "http://127.0.0.1:$port/numbers"
cmp a b && echo same
curl -sS -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/none"
