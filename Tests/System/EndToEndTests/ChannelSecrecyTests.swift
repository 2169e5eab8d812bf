// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The secure channel hides the code: an inline Suricata that drops it lets the packet that carries it pass.
@Suite(.serialized) struct ChannelSecrecyTests {
    @Test func `a packet passes the Suricata that drops its code`() async throws {
        let network = try await GuardedNetwork()
        let (inside, outside, suricata) = (network.inside, network.outside, network.suricata)
        let center = try await Center(address: GuardedNetwork.outsideAddress, within: outside)
        // By one host's word.
        try await center.serve(suricata.options + ["--action", "drop"], dropFrom: "reported")
        let endpoint = "\(GuardedNetwork.outsideAddress):9555"
        let receiver = try RunningProcess(outside.inside([Command.built("sample-service"), "--count-only", endpoint]))
        try await receiver.line(with: "listening")
        func send(_ what: String...) async throws {
            try await inside.run([Command.built("sample-sender")] + what + [endpoint])
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
