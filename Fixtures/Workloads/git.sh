#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
git init -q -b main one
for n in 1 2 3; do echo "$n" >"one/file$n"; git -C one add . ; git -C one commit -q -m "commit $n"; done
git clone -q --no-local one two
echo more >>two/file1
git -C two commit -q -am 'commit 4'
git -C two push -q origin main:side
git -C one merge -q side
git -C one log --format='%h %s'
git -C one fsck --no-progress
port=$(free_port)
git daemon --reuseaddr --listen=127.0.0.1 --port="$port" --base-path="$PWD" --export-all >/dev/null 2>&1 &
ends_with_script $!
wait_for_port "$port"
git clone -q "git://127.0.0.1:$port/one" three
git -C three rev-parse HEAD
