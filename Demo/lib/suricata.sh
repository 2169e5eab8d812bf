# SPDX-License-Identifier: Apache-2.0

# Suricata, inline at each site's gateway over AF_PACKET: what comes in at one side goes out at the other unless a rule
# drops it.

# write_suricata_configuration DIRECTORY [INLINE]: the directory holds suricata.yaml, epitope.rules, eve.json and the
# command socket.
write_suricata_configuration() {
    local directory=$1 inline=${2-}
    mkdir -p "$directory"
    : >"$directory/epitope.rules"
    cat >"$directory/suricata.yaml" <<YAML
%YAML 1.1
---
vars:
  address-groups: {HOME_NET: "any", EXTERNAL_NET: "any"}
default-log-dir: $directory
default-rule-path: $directory
rule-files: [epitope.rules]
classification-file: /etc/suricata/classification.config
reference-config-file: /etc/suricata/reference.config
unix-command: {enabled: yes, filename: $directory/command.socket}
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - alert: {verdict: yes}
        - drop: {verdict: yes, alerts: yes, flows: all}
app-layer: {protocols: {}}
YAML
    [[ -z $inline ]] || cat >>"$directory/suricata.yaml" <<'YAML'
af-packet:
  - {interface: outside, copy-iface: inside, copy-mode: ips, threads: 1, cluster-id: 71, cluster-type: cluster_flow, defrag: no, use-mmap: yes}
  - {interface: inside, copy-iface: outside, copy-mode: ips, threads: 1, cluster-id: 72, cluster-type: cluster_flow, defrag: no, use-mmap: yes}
YAML
}

# start_suricata SITE: inline at the site's gateway.
start_suricata() {
    write_suricata_configuration "$run/suricata-$1" inline
    start_inside "gateway-$1" "suricata-$1" \
        suricata -c "$run/suricata-$1/suricata.yaml" --af-packet -l "$run/suricata-$1"
}

# start_suricata_on_a_pipe SITE: without privilege no interface can be watched. A pipe takes the wire's place, on which
# a greeting arrives every 20 ms; the rules, the reload and Suricata's answers are as real as inline.
start_suricata_on_a_pipe() {
    write_suricata_configuration "$run/suricata-$1"
    mkfifo "$run/wire-$1"
    start "wire-$1" "$sample_sender" hello --stream "$run/wire-$1" "127.0.0.1:$service_port"
    start "suricata-$1" suricata -c "$run/suricata-$1/suricata.yaml" -r "$run/wire-$1" --simulate-ips -l "$run/suricata-$1"
}

# replay SITE CAPTURE_FILE: what Suricata with the site's rules does about a capture; its EVE events join the site's.
replay() {
    local out="$run/replay-$1"
    rm -rf "$out" && mkdir "$out"
    timeout 30 suricata -c "$run/suricata-$1/suricata.yaml" --set unix-command.enabled=no --simulate-ips -r "$2" -l "$out" \
        >"$(log_of "replay-$1")" 2>&1 || return
    cat "$out/eve.json" >>"$run/suricata-$1/eve.json"
}

suricata_is_ready() {
    ready "suricata-$1" 30 'Engine started' && wait_until 5 test -S "$run/suricata-$1/command.socket"
}

# ask_suricata SITE COMMAND: its own answer, over its socket.
ask_suricata() {
    timeout 10 suricatasc -c "$2" "$run/suricata-$1/command.socket" 2>/dev/null
}

# The number of rules that Suricata says are active; "?" if it doesn't answer.
rules_loaded() {
    ask_suricata "$1" ruleset-stats | jq -r '[.message[]?.rules_loaded] | add // "?"' 2>/dev/null
}

rules_failed() {
    ask_suricata "$1" ruleset-stats | jq -r '[.message[]?.rules_failed] | add // "?"' 2>/dev/null
}

# has_live_rules SITE COUNT
has_live_rules() { (($(rules_loaded "$1" | grep -xE '[0-9]+' || echo 0) >= $2)); }

# rule_of SITE ACTION: the first rule of that action in the site's file, up to its options.
rule_of() { grep -E "^$2 " "$run/suricata-$1/epitope.rules" 2>/dev/null | head -n 1 | cut -d '(' -f 1; }

# sid_of SITE ACTION: the signature id of that rule.
sid_of() { grep -E "^$2 " "$run/suricata-$1/epitope.rules" 2>/dev/null | grep -oE 'sid: *[0-9]+' | grep -oE '[0-9]+' | head -n 1; }

# eve SITE EVENT ACTION DESTINATION: the EVE events of that type that tell what the site's own rule of that action did to
# a datagram to that address.
eve() {
    jq -c --arg type "$2" --arg action "$3" --arg to "$4" --argjson sid "$(sid_of "$1" "$3" | grep . || echo 0)" '
        select(.event_type == $type and .dest_ip == $to and .alert.signature_id == $sid and .verdict.action == $action)' \
        "$run/suricata-$1/eve.json" 2>/dev/null
}

drops() { eve "$1" drop drop "$2"; }
has_drop() { [[ -n $(drops "$1" "$2") ]]; }

alerts() { eve "$1" alert alert "$2"; }
has_alert() { [[ -n $(alerts "$1" "$2") ]]; }

# What an EVE event says, in one line.
eve_summary() { jq -r '"\(.event_type) sid \(.alert.signature_id) verdict \(.verdict.action)"' <<<"${1:-null}"; }
