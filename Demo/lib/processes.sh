# SPDX-License-Identifier: Apache-2.0

# Processes of the demonstration: each is started by name, logs to its own file, and is ended by its own id.

declare -A process_ids=()

# start NAME COMMAND...: in the background, its output in logs/NAME.log. It dies with this script, even of KILL.
start() {
    local name=$1
    shift
    setpriv --pdeathsig KILL -- "$@" >"$artefacts/logs/$name.log" 2>&1 </dev/null &
    process_ids[$name]=$!
}

log_of() { echo "$artefacts/logs/$1.log"; }

# wait_until SECONDS COMMAND...: tries the command every 20 ms until it succeeds; fails when the time is up.
wait_until() {
    local deadline=$(($(now_us) + $1 * 1000000))
    shift
    until "$@"; do
        (($(now_us) < deadline)) || return 1
        sleep 0.02
    done
}

logged() { grep -qE -- "$2" "$(log_of "$1")" 2>/dev/null; }

# ready NAME SECONDS PATTERN: waits for a line of its log; when the process ended first, or the time is up, shows the
# log's end.
ready() {
    wait_until "$2" logged_or_ended "$1" "$3" || true
    logged "$1" "$3" && return 0
    echo "  $1 did not become ready; the end of its log:" >&2
    tail -n 8 "$(log_of "$1")" | sed 's/^/  | /' >&2
    return 1
}

logged_or_ended() { logged "$1" "$2" || is_gone "${process_ids[$1]}"; }

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# stop NAME: TERM, and after three seconds KILL.
stop() {
    local id=${process_ids[$1]-}
    [[ -n $id ]] || return 0
    unset "process_ids[$1]"
    kill -TERM "$id" 2>/dev/null || return 0
    wait_until 3 is_gone "$id" || kill -KILL "$id" 2>/dev/null
    wait "$id" 2>/dev/null
    return 0
}

stop_all() {
    local name id
    for id in "${process_ids[@]}"; do kill -TERM "$id" 2>/dev/null; done
    for name in "${!process_ids[@]}"; do stop "$name"; done
}
