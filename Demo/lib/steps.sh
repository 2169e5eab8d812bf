# SPDX-License-Identifier: Apache-2.0

# The steps that both forms of the demonstration take, and how a form ends.

finish() {
    local status=$?
    trap '' INT TERM HUP
    echo
    echo "ending processes, keeping artefacts"
    keep_artefacts
    stop_all
    timeline_as_json
    write_result
    exit "$status"
}
end_cleanly() {
    trap finish EXIT
    trap 'echo; echo "told to end"; exit 130' INT TERM HUP
}

# A step without which the rest can't run.
need() { check "$@" || exit 1; }

# is_blocked_and_stored HOST SITE: the blocked call, the error in place of its result, and the packet at the site's center.
is_blocked_and_stored() {
    local host=$1 site=$2 name="host ${1#host-}" stored
    wait_until 10 has_blocked "$host"
    blocked=$(blocked_us "$host")
    check "${blocked:--}" "$name: the call is blocked" "event: $(blocked_call "$host")" has_blocked "$host"
    wait_until 5 logged "$host-protected" '^ran result='
    check - "$name: the code got an error, not a result" \
        "the service: $(grep -m 1 '^ran' "$(log_of "$host-protected")" | cut -d ' ' -f 1-2), EPERM" logged "$host-protected" '^ran result=-1 '
    wait_until 10 has_event "$site" stored
    stored=$(event_us "$site" stored)
    check "${stored:--}" "center ${site^^}: the packet is stored" "$(event_detail "$site" stored)" has_event "$site" stored
}

# The datagram to host 1, up to the verified signature at site A's center.
attack_protected_host() {
    heading "the attack on host 1"
    t0_us=$(attack host-1)
    row ok "$t0_us" "the datagram leaves the attacker" "92 bytes to $(host_address host-1):$service_port"
    is_blocked_and_stored host-1 a
    local stored
    stored=$(event_us a stored)
    wait_until 15 has_event a proven
    check "$(event_us a proven | grep . || echo -)" "center A: the signature is verified" "$(event_detail a proven)" has_event a proven
    [[ -z $blocked || -z $stored ]] || result blocked_to_stored_ms "$(milliseconds_between "$blocked" "$stored")"
}

# What follows from it: the rule in site A's Suricata.
rule_goes_live() {
    wait_until 30 has_event a delivered
    local delivered
    delivered=$(event_us a delivered)
    check "${delivered:--}" "Suricata A: the rule is live" "ruleset-stats: $(rules_loaded a) loaded; $(event a delivered | jq -r .detail)" \
        has_live_rules a 1
    [[ -z $blocked || -z $delivered ]] || result blocked_to_live_ms "$(milliseconds_between "$blocked" "$delivered")"
}
