# SPDX-License-Identifier: Apache-2.0

# The time line: one row for each step, with what proves it. Times are milliseconds since the datagram of the latest attack
# with code of its own left; rows from before the first carry none.

steps_ok=0
steps_failed=0
t0_us=
part=

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# Milliseconds, one decimal, from the datagram's leaving to the given time (microseconds since 1970).
ms_since_start() {
    [[ -n $t0_us && $1 =~ ^[0-9]+$ ]] || return 0
    local tenths=$((($1 - t0_us) / 100))
    ((tenths >= 0)) && echo "$((tenths / 10)).$((tenths % 10))"
}

heading() {
    part=$1
    printf '\n%s\n%10s  %-6s %-48s %s\n' "$1" "+ms" "" "what" "proof"
}

# row ok|FAILED TIME_US|- WHAT PROOF
row() {
    local ms=
    [[ $2 != - ]] && ms=$(ms_since_start "$2")
    if [[ $1 == ok ]]; then steps_ok=$((steps_ok + 1)); else steps_failed=$((steps_failed + 1)); fi
    printf '%10s  %-6s %-48s %s\n' "${ms:+$([[ $ms == -* ]] || echo +)$ms}" "$1" "$3" "$4"
    printf '%s\t%s\t%s\t%s\t%s\n' "$ms" "$1" "$3" "$4" "$part" >>"$artefacts/timeline.tsv"
}

# check TIME_US|- WHAT PROOF COMMAND...: a step that holds when the command succeeds; so does this function then.
check() {
    local time=$1 what=$2 proof=$3
    shift 3
    if "$@"; then
        row ok "$time" "$what" "$proof"
    else
        row FAILED "$time" "$what" "$proof"
        return 1
    fi
}

skip() {
    printf '%10s  %-6s %-48s %s\n' "" "left" "$1" "left out: $2"
}

timeline_as_json() {
    jq -Rn '[inputs | split("\t") | {ms: (.[0] | if . == "" then null else tonumber end), ok: (.[1] == "ok"),
        part: .[4], what: .[2], proof: .[3]}]' <"$artefacts/timeline.tsv" >"$artefacts/timeline.json"
    rm -f "$artefacts/timeline.tsv"
}

# Keeps a figure for the RESULT line; a figure that wasn't had is left out there.
result() {
    [[ -n ${2-} ]] && printf '%s=%s\n' "$1" "$2" >>"$run/figures"
    return 0
}

write_result() {
    printf 'steps_ok=%s\nsteps_failed=%s\n' "$steps_ok" "$steps_failed" >"$run/steps"
}

# milliseconds_between FROM TO: both in microseconds; two decimals.
milliseconds_between() {
    local hundredths=$((($2 - $1) / 10))
    ((hundredths < 0)) || printf '%d.%02d\n' $((hundredths / 100)) $((hundredths % 100))
}

# eve_us EVENT: the time of an EVE event in microseconds since 1970, or - when there is none.
eve_us() {
    local stamp
    stamp=$(jq -r '.timestamp // empty' <<<"${1:-null}")
    [[ -n $stamp ]] || { echo -; return; }
    date -d "$stamp" +%s%6N
}
