# SPDX-License-Identifier: Apache-2.0

# The networks, all of them namespaces of this run's own:
#
#                  10.77.10.0/24                    +-- host-1  .11   --+  10.77.1.0/24
#   attacker .1 -- gateway-a (Suricata inline) -- lan-a                 +-- center-a .1
#            |                                      +-- host-2  .12   --+        |
#            |                                                           10.77.9.0/24 -- global-center .1
#            |     10.77.20.0/24                    +-- center-b  .2 ------------+
#            +---- gateway-b (Suricata inline) -- lan-b -- host-3  .11
#                                                   +-- neighbour .12
#
# Site A has a network of its own for management. Site B is small and has none: its host reports from the address that it
# serves at, which is what a rule on its word alone is narrowed to.
# The switches (lan-a, lan-b, management-a, world) are bridges in a namespace without addresses: nothing is routed between
# them. No namespace has a route out of 10.77.0.0/16.

namespaces=(attacker gateway-a gateway-b switches host-1 host-2 host-3 neighbour center-a center-b global-center)

namespace_of() { echo "epitope-$run_id-$1"; }

# inside NAMESPACE COMMAND...
inside() {
    local namespace
    namespace=$(namespace_of "$1")
    shift
    ip netns exec "$namespace" "$@"
}

# start_inside NAMESPACE NAME COMMAND...: like start. `ip netns exec` becomes the command, so the process id is its own.
start_inside() {
    local namespace name=$2
    namespace=$(namespace_of "$1")
    shift 2
    start "$name" ip netns exec "$namespace" "$@"
}

# wire NAMESPACE DEVICE NAMESPACE DEVICE: a cable between two, with every offload off at both ends: what a NIC would
# fill in later (checksums, segmentation) is missing from frames that an inline Suricata copies.
wire() {
    ip link add "$2" netns "$(namespace_of "$1")" type veth peer name "$4" netns "$(namespace_of "$3")" || return
    local end
    for end in "$1 $2" "$3 $4"; do
        set -- $end
        inside "$1" ethtool -K "$2" tx off rx off gro off gso off tso off >/dev/null 2>&1 || return
        inside "$1" ip link set "$2" up || return
    done
}

address() { inside "$1" ip address add "$3/24" dev "$2"; }

# plug NAMESPACE DEVICE SWITCH ADDRESS: a cable to a switch. A device's name has at most 15 characters.
plug() {
    local port="p$((++ports))"
    wire "$1" "$2" switches "$port" && inside switches ip link set "$port" master "$3" && address "$1" "$2" "$4"
}

make_topology() {
    local name
    ports=0
    mount -t tmpfs epitope-demo /run/netns || return
    for name in "${namespaces[@]}"; do
        ip netns add "$(namespace_of "$name")" || return
        inside "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
        inside "$name" ip link set lo up || return
    done
    for name in lan-a lan-b management-a world; do
        inside switches ip link add "$name" type bridge forward_delay 0 && inside switches ip link set "$name" up || return
    done
    # What the attacker reaches: both sites, each through its gateway alone.
    wire attacker site-a gateway-a outside && address attacker site-a 10.77.10.1 || return
    wire gateway-a inside switches to-gateway-a && inside switches ip link set to-gateway-a master lan-a || return
    plug host-1 lan lan-a 10.77.10.11 && plug host-2 lan lan-a 10.77.10.12 || return
    wire attacker site-b gateway-b outside && address attacker site-b 10.77.20.1 || return
    wire gateway-b inside switches to-gateway-b && inside switches ip link set to-gateway-b master lan-b || return
    plug host-3 lan lan-b 10.77.20.11 && plug neighbour lan lan-b 10.77.20.12 || return
    # What hosts and centers speak over.
    plug center-a hosts management-a 10.77.1.1 && plug host-1 management management-a 10.77.1.11 || return
    plug host-2 management management-a 10.77.1.12 || return
    plug center-b hosts lan-b 10.77.20.2 || return
    plug global-center sites world 10.77.9.1 && plug center-a world world 10.77.9.2 || return
    plug center-b world world 10.77.9.3
}
