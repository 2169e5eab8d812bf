#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
# Debian's command is a script that waits for this.
browser=/usr/lib/chromium/chromium-headless-shell
[ -x "$browser" ] || leave_out 'chromium-headless-shell is not installed; one browser is put to work in any case'
python3 "$workloads/browser.py" port &
server=$!
for _ in $(seq 100); do [ -e port ] && break; sleep 0.1; done
# Root may not have a sandbox.
options=(--disable-gpu --no-first-run --disable-background-networking --disable-sync --disable-component-update
    --user-data-dir="$PWD/profile" --remote-debugging-port=0)
[ "$(id -u)" != 0 ] || options+=(--no-sandbox)
"$browser" "${options[@]}" "http://127.0.0.1:$(cat port)/?n=1" >/dev/null 2>&1 &
ends_with_script $!
wait "$server"
