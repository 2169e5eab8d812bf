# SPDX-License-Identifier: Apache-2.0

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

# The host's first blocked call, one JSON object. The host's times are ISO 8601, to the microsecond.
blocked_event() { host_events "$1" | jq -sc 'map(select(.event == "blocked" and .action != "watched")) | first // empty' 2>/dev/null; }

has_blocked() { [[ -n $(blocked_event "$1") ]]; }

# When the call was answered, in microseconds since 1970.
blocked_us() {
    blocked_event "$1" \
        | jq -r '.time | capture("^(?<whole>[^.]+)[.](?<part>[0-9]{6})Z$") | (.whole + "Z" | fromdateiso8601) * 1000000 + (.part | tonumber)'
}

# What the blocked call was, in one line.
blocked_call() { blocked_event "$1" | jq -r '"\(.action): \(.call) by process \(.processID), caller \(.callersAddress)"'; }

# packet_id CENTER: the identity of the first packet that the center stored.
packet_id() { events "$1" | jq -sr 'map(select(.step == "stored")) | first | .subject // empty'; }

# write_packet SITE: the packet that the site's center holds, as JSON.
write_packet() {
    local id
    id=$(packet_id "$1")
    [[ -n $id ]] || return
    epitope_in "center-$1" "center-$1" local-center show --state "$run/center-$1" "$id" >"$artefacts/packet.json"
}
