// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// What a host is told to judge, extract and send, as its center has it.
@Suite(.serialized) struct HostOptionTests {
    private struct Peer: Decodable {
        var name: String
        var applications: String?
    }

    private struct Packet: Decodable {
        struct Code: Decodable { var bytes: String }

        var code: Code?
        var signature: String?
        var applications: [String]?
    }

    private func shown(_ center: Center, _ packet: String?) async throws -> Packet {
        let shown = try await epitope(["local-center", "show", "--state", center.state, "--json", #require(packet)])
        struct Document: Decodable { var packet: Packet }
        let data = Data(shown.output.utf8)
        if let document = try? JSONDecoder().decode(Document.self, from: data) { return document.packet }
        return try JSONDecoder().decode(Packet.self, from: data)
    }

    @Test func `hosts of a site differ in what they judge, and the center knows which did what`() async throws {
        let (center, all) = try await makeSite()
        let some = try Host("host-2")
        try await some.enroll(at: center)
        let folder = try TemporaryFolder()
        let policy = try PolicyTests.policy(
            #"{"applications": {"send": {"on": false}, "listen": {"action": "watch"}, "connect": {"weights": {"call-from-memory-file": 90}}}}"#,
            in: folder)
        try await all.attack()
        // The same call passes where it isn't judged.
        let passed = try await some.run("call-stub", ["datagram", "anonymous", "send", "9555"], options: ["--policy", policy])
        #expect(passed.output.contains("result 5 ") || !passed.output.contains("errno 1"), "\(passed.output)")
        #expect(some.events("blocked").isEmpty && some.events("watched").isEmpty)
        let words = try await some.run("call-stub", ["direct", "memory-file", "connect", "9"], options: ["--policy", policy])
        #expect(words.output.contains("errno 1"), "\(words.output)")
        #expect(words.errors.contains("call-from-memory-file, 90 points"), "\(words.errors)")
        #expect(
            words.errors.contains("by the policy, connect: call-from-memory-file 90 points; send: off; listen: watch"), "\(words.errors)")
        let bound = try await some.run("call-stub", ["direct", "anonymous", "bind", "9"], options: ["--policy", policy])
        #expect(bound.output.contains("errno 0"), "\(bound.output)")
        try await eventually("the packets are sent", seconds: 20) { some.events("sent").count == 2 && all.events("sent").count == 1 }
        #expect(try await shown(center, all.events("sent").first?.packet).applications == ["exec", "connect", "send", "listen"])
        #expect(try await shown(center, some.events("sent").first?.packet).applications == ["exec", "connect", "listen"])
        try await eventually("the center has written whom it saw", seconds: 60) {
            let listed = try await center.command("peers", "--json")
            let peers = try JSONDecoder().decode([Peer].self, from: Data(listed.output.utf8))
            let found = Dictionary(uniqueKeysWithValues: peers.map { ($0.name, $0.applications) })
            return found["host-1"] == "exec+connect+send+listen" && found["host-2"] == "exec+connect+listen"
        }
        #expect(try await center.command("peers").output.contains("exec+connect+listen"))
        let checked = try await epitope(["policy", "check", "--policy", policy, "\(getpid())"])
        #expect(checked.output.contains("send: off, its calls are allowed"), "\(checked.output)\(checked.errors)")
    }

    @Test func `so much goes as was asked for`() async throws {
        let (center, host) = try await makeSite()
        let amounts = ["--max-code", "1024", "--snippet-side", "300", "--packets-per-day", "9"]
        try await host.run("call-stub", ["direct", "large", "connect", "9"], options: amounts)
        for size in ["8", "200", "256"] {
            try await host.run(
                "call-stub", ["direct", "large", "connect", "9"], options: amounts + ["--signature-on-host", "--signature-bytes", size])
        }
        try await eventually("the packets are sent", seconds: 20) { host.events("sent").count == 4 }
        var sizes: [Int] = []
        for event in host.events("sent") {
            let packet = try await shown(center, event.packet)
            sizes.append((packet.code?.bytes.count ?? packet.signature?.count ?? 0) / 2)
        }
        #expect(sizes == [600, 8, 200, 256])
        for (options, word) in [
            (["--signature-bytes", "7"], "8 to 256"), (["--signature-bytes", "257"], "8 to 256"), (["--max-code", "8193"], "256 to 8192"),
            (["--snippet-side", "255"], "256 to 4096"), (["--link-per-day", "-1"], "0 or more"),
        ] {
            let refused = try await host.run("call-stub", ["direct", "large", "connect", "9"], options: options)
            #expect(refused.status == 64 && refused.errors.contains(word), "\(refused.errors)")
        }
    }

    @Test func `beyond the link's budget less goes, and that is told`() async throws {
        let (center, host) = try await makeSite()
        // Of another call: the same one would be a duplicate, whatever of it went.
        for (call, budget) in [
            ("connect", ["--link-per-second", "1500"]), ("bind", ["--link-per-day", "0", "--signature-bytes", "64"]),
        ] {
            let run = try await host.run(
                "call-stub", ["direct", "large", call, "9"], options: ["--packets-per-day", "9"] + budget)
            #expect(run.output.contains("errno 1"), "\(run.output)")
        }
        try await eventually("the packets are sent", seconds: 20) { host.events("sent").count == 2 }
        let packets = host.events("sent").map(\.packet)
        let snippet = try await shown(center, packets[0])
        #expect((512..<1500).contains((snippet.code?.bytes.count ?? 0) / 2), "\(snippet)")
        #expect(try await shown(center, packets[1]).signature?.count == 128)
        #expect(host.events("reduced").map(\.packet) == packets)
        #expect(host.events("reduced")[1].message == "its signature goes, and none of its code")
        let status = try await epitope(["host", "status", "--state", host.state])
        #expect(status.output.contains("1 sent-as-snippet") && status.output.contains("1 sent-as-signature"), "\(status.output)")
        #expect(status.output.contains("on the link today (UTC): "), "\(status.output)")
        let events = try await epitope(["host", "events", "--state", host.state])
        #expect(events.output.contains("is beyond the link's budget: its signature goes, and none of its code"), "\(events.output)")
    }
}
