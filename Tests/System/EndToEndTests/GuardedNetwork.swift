// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Two namespaces, each behind an inline Suricata from the other: what it drops doesn't arrive.
struct GuardedNetwork {
    static let insideAddress = "10.77.0.1"
    static let outsideAddress = "10.77.0.2"

    let inside: Namespace
    let outside: Namespace
    /// It runs already.
    let suricata: Suricata
    private let gateway: Namespace

    init() async throws {
        (inside, gateway, outside) = (try await Namespace(["--net"]), try await Namespace(["--net"]), try await Namespace(["--net"]))
        try await Self.wire(inside, "host0", gateway, "in0")
        try await Self.wire(outside, "center0", gateway, "out0")
        for (end, device, address) in [(inside, "host0", Self.insideAddress), (outside, "center0", Self.outsideAddress)] {
            try await end.run(["/usr/sbin/ip", "address", "add", "\(address)/24", "dev", device])
        }
        suricata = try Suricata(inline: ("in0", "out0"), within: gateway)
        try await suricata.start()
    }

    /// A cable between two namespaces, with the offloads off: frames that Suricata copies must be whole.
    private static func wire(_ one: Namespace, _ name: String, _ other: Namespace, _ peer: String) async throws {
        let made = try await Command.run(
            "/usr/sbin/ip",
            ["link", "add", name, "netns", "\(one.identifier)", "type", "veth", "peer", "name", peer, "netns", "\(other.identifier)"])
        try #require(made.status == 0, "\(made.errors)")
        for (end, device) in [(one, name), (other, peer)] {
            try await end.run(["/usr/sbin/ethtool", "-K", device, "tx", "off", "rx", "off", "gro", "off", "gso", "off", "tso", "off"])
            try await end.run(["/usr/sbin/ip", "link", "set", device, "up"])
        }
    }
}
