# What the parts of Epitope tell about themselves, read back for the time line.

# event_us CENTER STEP [DETAIL]: when a center first took that step (and its detail matches), microseconds since 1970.
event_us() {
    events "$1" | jq -sr --arg step "$2" --arg detail "${3-}" \
        'map(select(.step == $step and (.detail | test($detail)))) | first | .timeMilliseconds // empty | . * 1000 | floor'
}

event_detail() {
    events "$1" | jq -sr --arg step "$2" 'map(select(.step == $step)) | first | "\(.subject[0:12]) \(.detail)"' | cut -c 1-100
}

has_event() { [[ -n $(event_us "$@") ]]; }

# blocked_us HOST: when the host denied its first call, microseconds since 1970. The event's time is in milliseconds
# with a fraction, or RFC 3339 text.
blocked_us() {
    host_events "$1" | jq -sr 'map(select(tostring | test("blocked|stopped|killed"))) | first // empty
        | (.timeMilliseconds // .time_ms // .milliseconds // empty) * 1000 | floor' 2>/dev/null
}

has_blocked() { host_events "$1" | grep -qE '"(blocked|stopped|killed)"'; }

# What the blocked call was, in one line.
blocked_call() {
    host_events "$1" | grep -m 1 -E '"(blocked|stopped|killed)"' | jq -r '[.. | scalars | tostring] | join(" ")' | cut -c 1-90
}

# write_packets CENTER: every packet that the center has, as JSON.
write_packets() {
    epitope_in "center-$1" "center-$1" local-center show --state "$run/center-$1" --all --json >"$artefacts/packet.json"
}
