# SPDX-License-Identifier: Apache-2.0

# What the parts of Epitope tell about themselves, read back for the time line.

# event CENTER STEP [DETAIL [SUBJECT]]: the first such step that a center took, with a detail and a subject that match.
event() {
    events "$1" | jq -sc --arg step "$2" --arg detail "${3-}" --arg subject "${4-}" \
        'map(select(.step == $step and (.detail | test($detail)) and (.subject | test($subject)))) | first // empty'
}

# event_us ...: when that was, in microseconds since 1970.
event_us() { event "$@" | jq -r '.timeMilliseconds * 1000 | floor'; }

event_detail() { event "$@" | jq -r '"\(.subject[0:12]) \(.detail)"' | cut -c 1-100; }

# own_signature SITE: the id of the signature that the site's center proved first of what its own hosts reported.
own_signature() { event "$1" proven '^revision' | jq -r .subject; }

# rests_on SITE: what the site's own rule rests on, by its center's status.
rests_on() {
    epitope_in "center-$1" "center-$1" local-center status --state "$run/center-$1" --json \
        | jq -r --arg id "$(own_signature "$1")" '[.latestUpdates[] | select(.signatureID == $id and .origin == "site") | .support] | first // empty
            | "\(.grade): \(.reporters) reporter, \(.points) of \(.threshold) points"
                + (if .isEnoughToDrop then "" else ", alert only" end)
                + (if .narrowedTo then ", at " + (.narrowedTo | join(" and ")) else "" end)'
}

is_corroborated() { [[ $(rests_on "$1") == corroborated:* ]]; }

has_event() { [[ -n $(event_us "$@") ]]; }

# The host's first blocked call, one JSON object. The host's times are ISO 8601, to the microsecond.
blocked_event() { host_events "$1" | jq -sc 'map(select(.event == "blocked" and .action != "watched")) | first // empty' 2>/dev/null; }

has_blocked() { [[ -n $(blocked_event "$1") ]]; }

# How many calls the host blocked.
blocked_count() { host_events "$1" | jq -sc 'map(select(.event == "blocked" and .action != "watched")) | length' 2>/dev/null; }
has_blocked_more_than() { (($(blocked_count "$1") > $2)); }

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
    epitope_in "center-$1" "center-$1" local-center show --state "$run/center-$1" --json "$id" >"$artefacts/packet-$1.json"
}
