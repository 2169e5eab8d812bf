#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
command -v firefox-esr >/dev/null || leave_out 'firefox-esr is not installed: its package can not be had here'
python3 "$workloads/browser.py" port &
server=$!
mkdir profile
# Nothing of it goes to the world.
cat >profile/user.js <<'JS'
user_pref("network.proxy.type", 1); user_pref("network.proxy.http", "127.0.0.1"); user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1"); user_pref("network.proxy.ssl_port", 9);
user_pref("network.proxy.no_proxies_on", "127.0.0.1"); user_pref("network.proxy.allow_hijacking_localhost", false);
user_pref("browser.shell.checkDefaultBrowser", false); user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false); user_pref("app.normandy.enabled", false);
user_pref("browser.aboutwelcome.enabled", false); user_pref("network.captive-portal-service.enabled", false);
JS
for _ in $(seq 100); do [ -e port ] && break; sleep 0.1; done
firefox-esr --headless --no-remote --profile "$PWD/profile" "http://127.0.0.1:$(cat port)/?n=1" >/dev/null 2>&1 &
ends_with_script $!
wait "$server"
