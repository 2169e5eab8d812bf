// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The secure channel hides the code: an inline Suricata that drops it lets the packet that carries it pass.
@Suite(.serialized) struct ChannelSecrecyTests {
    /// A cable between two namespaces, with the offloads off: frames that Suricata copies must be whole.
    private func wire(_ one: Namespace, _ name: String, _ other: Namespace, _ peer: String) async throws {
        let made = try await Command.run(
            "/usr/sbin/ip",
            ["link", "add", name, "netns", "\(one.identifier)", "type", "veth", "peer", "name", peer, "netns", "\(other.identifier)"])
        try #require(made.status == 0, "\(made.errors)")
        for (end, device) in [(one, name), (other, peer)] {
            try await end.run(["/usr/sbin/ethtool", "-K", device, "tx", "off", "rx", "off", "gro", "off", "gso", "off", "tso", "off"])
            try await end.run(["/usr/sbin/ip", "link", "set", device, "up"])
        }
    }

    @Test func `a packet passes the Suricata that drops its code`() async throws {
        let (inside, gateway, outside) = (try await Namespace(["--net"]), try await Namespace(["--net"]), try await Namespace(["--net"]))
        try await wire(inside, "host0", gateway, "in0")
        try await wire(outside, "center0", gateway, "out0")
        for (end, device, address) in [(inside, "host0", "10.77.0.1/24"), (outside, "center0", "10.77.0.2/24")] {
            try await end.run(["/usr/sbin/ip", "address", "add", address, "dev", device])
        }
        let suricata = try Suricata(inline: ("in0", "out0"), within: gateway)
        try await suricata.start()
        let center = try await Center(address: "10.77.0.2", within: outside)
        // By one host's word.
        try await center.serve(suricata.options + ["--action", "drop"], dropFrom: "reported")
        let receiver = try RunningProcess(outside.inside([Command.built("sample-service"), "--count-only", "10.77.0.2:9555"]))
        try await receiver.line(with: "listening")
        func send(_ what: String...) async throws {
            try await inside.run([Command.built("sample-sender")] + what + ["10.77.0.2:9555"])
        }

        // Until there is a rule, the code passes.
        try await send("stub", "127.0.0.1:9555")
        try await receiver.line(with: "kind=code")
        let first = try Host(within: inside)
        try await first.enroll(at: center)
        try await first.attack()
        try await eventually("the rule is live") { try await center.events("delivered").count == 1 }

        try await send("stub", "127.0.0.1:9555")
        try await eventually("the datagram is dropped") { suricata.events("drop").count == 1 }
        try await send("hello")
        try await receiver.line(with: "kind=hello")
        #expect(receiver.output.split(separator: "\n").count { $0.contains("kind=code") } == 1)

        // The same code, in another host's packet, through the same Suricata.
        let second = try Host("host-2", within: inside)
        try await second.enroll(at: center)
        try await second.attack()
        let packet = try #require(second.events("sent").first?.packet, "\(second.events.map(\.event))")
        #expect(try await center.events("stored").map(\.subject).contains(packet))
        #expect(suricata.events("drop").count == 1)
    }
}
