# SPDX-License-Identifier: Apache-2.0

# The attackers. From outside: one datagram, the same bytes each time; the inert stub in it sends itself once to the
# attacker's own address and returns. From inside site B: other code, which would only connect to its sender.

# Where the stub would send itself to; a receiver there counts.
target_address=10.77.10.1

# code_arguments CODE: what sample-sender calls it, and the address that is in it.
code_arguments() {
    case $1 in
    sending) echo "stub $target_address:$service_port" ;;
    connecting) echo "connecting-stub $(host_address neighbour):7" ;;
    esac
}

# write_code CODE FILE: the datagram's bytes.
write_code() { "$sample_sender" $(code_arguments "$1") --file "$2"; }

# send_code CODE FROM HOST: sends the datagram and prints when it left, in microseconds since 1970.
send_code() {
    inside "$2" timeout 5 "$sample_sender" $(code_arguments "$1") "$(host_address "$3"):$service_port" | sed -n 's/.*time_us=//p'
}

attack() { send_code sending attacker "$1"; }

# greet HOST: a benign datagram over the same path.
greet() { inside attacker timeout 5 "$sample_sender" hello "$(host_address "$1"):$service_port" >>"$(log_of attacker)" 2>&1; }

greeting_is_answered() {
    inside attacker timeout 5 "$sample_sender" hello "$(host_address "$1"):$service_port" | tee -a "$(log_of attacker)" \
        | grep -q '^answer bytes=5'
}
