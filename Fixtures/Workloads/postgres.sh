#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
# The server's programs are beside the client's, or where Debian keeps each version's.
PATH="$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin)"
# It refuses to be root.
as_user=()
if [ "$(id -u)" = 0 ]; then
    # Folders that others may go through lead here, or the user can't come in.
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    home=$(mktemp -d /tmp/epitope-postgres-XXXXXX)
    chown 65534:65534 "$home"
else
    home=$PWD
fi
port=$(free_port)
cd "$home"
export HOME="$home"
"${as_user[@]}" initdb -D data -U tester --auth=trust --no-sync --locale=C >/dev/null
"${as_user[@]}" postgres -D data -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
    -c jit=on -c jit_above_cost=0 -c jit_inline_above_cost=0 -c jit_optimize_above_cost=0 -c log_min_messages=fatal 2>log &
server=$!
ends_with_script "$server"
[ "$home" = "$1" ] || trap 'kill "$server" 2>/dev/null || true; wait; rm -rf "$home"' EXIT
wait_for_port "$port"
# The port opens before the server takes connections.
for _ in $(seq 100); do psql -h 127.0.0.1 -p "$port" -U tester -d postgres -qc '' 2>/dev/null && break; sleep 0.1; done
psql -h 127.0.0.1 -p "$port" -U tester -d postgres -v ON_ERROR_STOP=1 -qAt <<SQL
create table numbers as select n, n * 3 as m from generate_series(1, 20000) n;
select count(*), sum(n * m) from numbers where n % 7 < 3 and m > 100;
create function f(n int) returns int language plpgsql as 'begin return n * 2; end';
select sum(f(n)) from numbers;
create extension dblink;
-- The compiled expressions run while their results go out, and while others are connected to.
select sum(v) from numbers a, lateral dblink('host=127.0.0.1 port=$port user=tester dbname=postgres', 'select ' || a.n) as t(v int)
    where a.n % 400 = 0 and a.m > 10;
copy (select n from numbers where m % 5000 = 0) to program 'cat >/dev/null';
select n, sqrt(n)::int from numbers where n > 19997 and m % 2 = 1;
SQL
