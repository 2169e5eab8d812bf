# SPDX-License-Identifier: Apache-2.0

# The hosts: enrolment, the sample service (protected or not), and plain receivers.

service_port=9434

host_address() {
    case $1 in
    host-1) echo 10.77.10.11 ;;
    host-2) echo 10.77.10.12 ;;
    host-3) echo 10.77.20.11 ;;
    neighbour) echo 10.77.20.12 ;;
    esac
}

# enrol HOST SITE: with a one-time token from the site's center, which is kept to show that it works once.
enrol() {
    local token
    token=$(epitope_in "center-$2" "center-$2" local-center token --state "$run/center-$2" --host "$1") || return
    echo "$token" >"$run/token-$1"
    epitope_in "$1" "$1" enroll --state "$run/$1" --center "$(center_url "$2")" --token "$token" >>"$(log_of "$1")"
}

# token_is_used_up HOST SITE: a second enrolment with the host's token, to another state folder, is refused.
token_is_used_up() {
    ! epitope_in "$1" "$1-second-enrolment" enroll --state "$run/$1-again" --center "$(center_url "$2")" \
        --token "$(<"$run/token-$1")" >>"$(log_of "$1-second-enrolment")" \
        && grep -q 'token-' "$(log_of "$1-second-enrolment")"
}

# serve_unprotected HOST: the sample service as it is, to show what the datagram does where nothing protects.
serve_unprotected() {
    start_inside "$1" "$1-unprotected" env EPITOPE_SAMPLE_SERVICE=1 "$sample_service" "$(host_address "$1"):$service_port"
    ready "$1-unprotected" 5 '^listening'
}

serve_protected() {
    start_inside "$1" "$1-protected" env EPITOPE_SAMPLE_SERVICE=1 "$epitope" run --state "$run/$1" -- \
        "$sample_service" "$(host_address "$1"):$service_port"
    ready "$1-protected" 10 '^listening'
}

# receive NAMESPACE ADDRESS NAME: a receiver that runs nothing and prints what arrives.
receive() {
    start_inside "$1" "$3" "$sample_service" --count-only "$2:$service_port"
    ready "$3" 5 '^listening'
}

# listener_of HOST: what listens at the service's port there, by its name.
listener_of() { [[ -n ${process_ids[$1-protected]-} ]] && echo "$1-protected" || echo "$1"; }

# received NAME KIND: how many datagrams of that kind (code, hello) a receiver has printed.
received() { grep -cE "^received .* kind=$2 " "$(log_of "$1")" 2>/dev/null || true; }

has_received() { (($(received "$1" "$2") >= $3)); }

# The time at which a receiver got its first datagram of a kind, in microseconds since 1970.
received_us() { grep -E "^received .* kind=$2 " "$(log_of "$1")" | sed -n '1s/.*time_us=//p'; }

# host_events HOST: what `epitope run` recorded there, one JSON object a line.
host_events() { cat "$run/$1/events.jsonl" 2>/dev/null; }
