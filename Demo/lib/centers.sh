# SPDX-License-Identifier: Apache-2.0

# The centers: one for each site, and the global one. Everything here goes through the `epitope` command.

# What each center is called, where it listens, and the namespace it runs in.
center_address() {
    case $1 in
    a) echo 10.77.1.1 ;;
    b) echo 10.77.20.2 ;;
    global) echo 10.77.9.1 ;;
    esac
}
center_port() { echo 8443; }
center_endpoint() { echo "$(center_address "$1"):$(center_port "$1")"; }
center_url() { echo "https://$(center_endpoint "$1")"; }

# epitope_in NAMESPACE LOG ARGUMENTS...: a command that ends by itself, bounded; its errors go to the log.
epitope_in() {
    local namespace=$1 log=$2
    shift 2
    inside "$namespace" timeout 20 "$epitope" "$@" 2>>"$(log_of "$log")" </dev/null
}

init_local_center() {
    epitope_in "center-$1" "center-$1" local-center init --state "$run/center-$1" --name "site-$1" \
        --address "$(center_address "$1")" >>"$(log_of "center-$1")"
}

# What every center of the run proves signatures with.
write_settings() {
    [[ ! -s $run/settings.json ]] || return 0
    # A small part of the machine's own programs, so that it takes a moment.
    timeout 120 "$epitope" goodware build /usr/sbin --output "$run/goodware.index" >>"$(log_of goodware)" 2>&1 || return
    jq -n --arg goodware "$run/goodware.index" '{goodware: $goodware}' >"$run/settings.json"
}

# Rules drop where the site asks for it and evidence is more than one host's word: that is the default.
serve_local_center() {
    write_settings || return
    jq --arg captures "$(captures_of "$1")" 'if $captures == "" then . else . + {captures: [$captures]} end' "$run/settings.json" \
        >"$run/settings-$1.json" || return
    start_inside "center-$1" "center-$1-serve" "$epitope" local-center serve --state "$run/center-$1" \
        --config "$run/settings-$1.json" --listen "$(center_endpoint "$1")" --action drop \
        --suricata-socket "$run/suricata-$1/command.socket" --suricata-rules "$run/suricata-$1/epitope.rules"
    ready "center-$1-serve" 20 'listening on'
}

serve_global_center() {
    epitope_in global-center global-center global-center init --state "$run/global-center" --name world \
        --address "$(center_address global)" >>"$(log_of global-center)" || return
    write_settings || return
    start_inside global-center global-center-serve "$epitope" global-center serve --state "$run/global-center" \
        --config "$run/settings.json" --listen "$(center_endpoint global)"
    ready global-center-serve 20 'listening on'
}

# link SITE: the site's center gets its identity at the global center, with a one-time token.
link() {
    local token
    token=$(epitope_in global-center global-center global-center token --state "$run/global-center" --site "site-$1") || return
    epitope_in "center-$1" "center-$1" local-center link --state "$run/center-$1" --center "$(center_url global)" \
        --token "$token" >>"$(log_of "center-$1")"
}

# trust SITE: a person's decision at the global center. What the site reports alone is published then.
trust() {
    epitope_in global-center global-center global-center trust --state "$run/global-center" --site "site-$1" \
        >>"$(log_of global-center)" 2>&1
}

# The state folder of a site's center, or of the global one.
state_of() { [[ $1 == global ]] && echo "$run/global-center" || echo "$run/center-$1"; }

# events CENTER: the center's events, one JSON object a line.
events() {
    local kind=local-center namespace="center-$1"
    [[ $1 != global ]] || kind=global-center namespace=global-center
    epitope_in "$namespace" "$namespace" "$kind" events --state "$(state_of "$1")" --json \
        | jq -c 'if type == "array" then .[] else . end'
}
