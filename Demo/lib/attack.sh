# SPDX-License-Identifier: Apache-2.0

# The attacker: one datagram, the same bytes each time. The inert stub in it sends itself once to the attacker's own
# address and returns.

# Where the stub would send itself to; a receiver there counts.
target_address=10.77.10.1

# attack HOST: sends the datagram and prints when it left, in microseconds since 1970.
attack() {
    inside attacker timeout 5 "$sample_sender" stub "$target_address:$service_port" "$(host_address "$1"):$service_port" \
        | sed -n 's/.*time_us=//p'
}

# greet HOST: a benign datagram over the same path.
greet() { inside attacker timeout 5 "$sample_sender" hello "$(host_address "$1"):$service_port" >>"$(log_of attacker)" 2>&1; }

greeting_is_answered() {
    inside attacker timeout 5 "$sample_sender" hello "$(host_address "$1"):$service_port" | tee -a "$(log_of attacker)" \
        | grep -q '^answer bytes=5'
}
