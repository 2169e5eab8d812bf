// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// From a blocked call to a live rule, with every part as a user runs it.
@Suite(.serialized) struct ChainTests {
    /// The bytes that the fixture says it was stopped at, as the rule must hold them.
    private func window(_ output: String, length: Int = 32) throws -> [UInt8] {
        let words = output.split(whereSeparator: \.isWhitespace).map(String.init)
        func value(_ name: String) throws -> String { words[try #require(words.firstIndex(of: name)) + 1] }
        let base = try #require(UInt64(value("base").dropFirst(2), radix: 16))
        let caller = try #require(UInt64(value("expected").dropFirst(2), radix: 16))
        let code = try #require(Hex.decode(value("code")))
        let end = Int(caller - base)
        return Array(code[(end - length)..<end])
    }

    private func content(_ bytes: [UInt8]) -> String {
        "content:\"|" + bytes.map { Hex.encode([$0]).uppercased() }.joined(separator: " ") + "|\""
    }

    @Test func `a blocked call becomes a rule that fires on the same bytes`() async throws {
        let suricata = try Suricata()
        try await suricata.start()
        let (center, host) = try await makeSite(serving: suricata.options)
        let run = try await host.attack(port: 9556)
        let sent = try #require(host.events("sent").first)
        #expect(try await center.events("stored").map(\.subject) == [sent.packet])

        try await eventually("the rule is live") { try await center.events("delivered").count == 1 }
        #expect(try await suricata.loaded() == 1)
        #expect(suricata.rules.contains(content(try window(run.output))), "\(suricata.rules)")
        let update = try #require(try await center.status().latestUpdates.first)

        let sender = try Command.built("sample-sender")
        // Sent again until it is seen: a capture may drop a datagram on a busy machine.
        try await eventually("an alert about the same bytes") {
            _ = try await Command.run(sender, ["stub", "127.0.0.1:9556", "127.0.0.1:9556"])
            return suricata.events("alert").contains(update.sid ?? 0)
        }

        // The same signature comes from a host that extracts it itself; nothing new goes to Suricata.
        let other = try Host("host-2")
        try await other.enroll(at: center)
        try await other.attack(port: 9556, options: ["--signature-on-host"])
        let packet = try #require(other.events("sent").first?.packet)
        let shown = try await epitope(["local-center", "show", "--state", center.state, "--json", packet])
        #expect(shown.output.contains(Hex.encode(try window(run.output))) && !shown.output.contains("\"code\""), "\(shown.output)")
        try await eventually("the second packet is weighed") { try await center.events("weighed").count == 2 }
        let report = try await epitope(["local-center", "show", "--state", center.state, "--proof", packet])
        #expect(report.output.contains("matches-samples"), "\(report.output)")
        #expect(try await center.status().latestUpdates.map(\.signatureID) == [update.signatureID])
        try await center.stop()
    }

    @Test(arguments: [8, 48]) func `the center's caller window has the length that it was given`(length: Int) async throws {
        let suricata = try Suricata()
        try await suricata.start()
        let center = try await Center()
        try await center.serve(suricata.options, settings: ["callerWindow": length])
        let host = try Host()
        try await host.enroll(at: center)
        let run = try await host.attack(port: 9556)
        try await eventually("the rule is live") { try await center.events("delivered").count == 1 }
        #expect(try await suricata.loaded() == 1)
        #expect(suricata.rules.contains(content(try window(run.output, length: length))), "\(suricata.rules)")
        let update = try #require(try await center.status().latestUpdates.first)
        let sender = try Command.built("sample-sender")
        try await eventually("an alert about the same bytes") {
            _ = try await Command.run(sender, ["stub", "127.0.0.1:9556", "127.0.0.1:9556"])
            return suricata.events("alert").contains(update.sid ?? 0)
        }
        let withdrawn = try await center.command("withdraw", update.signatureID, "--reason", "a service of ours sends it")
        #expect(withdrawn.status == 0, "\(withdrawn.errors)")
        try await eventually("the rule has left Suricata") { try await suricata.loaded() == 0 }
        try await center.stop()
    }

    @Test func `each packet of a host counts where the settings say so, and weighs what they say`() async throws {
        let center = try await Center()
        try await center.serve(settings: ["counting": "each-packet", "weights": ["call-from-memory-file": 60]])
        let host = try Host()
        try await host.enroll(at: center)
        // The same weak evidence again, against another service.
        for (number, port) in [9555, 9556].enumerated() {
            let run = try await host.run("call-stub", ["direct", "memory-file", "send", "\(port)"])
            #expect(host.events("sent").count == number + 1, "\(run.output)\(run.errors)")
            try await eventually("it is weighed") { try await center.events("weighed").count == number + 1 }
        }
        let weighed = try await center.events("weighed").map(\.detail)
        #expect(weighed == ["60 of 100 points", "100 of 100 points, threshold reached"])
        try await center.stop()
    }

    @Test func `a command inherits nothing that was opened for it to be watched`() async throws {
        let (_, host) = try await makeSite()
        let shown = try await epitope(["run", "--quiet", "--state", host.state, "--", "/bin/ls", "-l", "/proc/self/fd"])
        #expect(shown.status == 0 && shown.output.contains("/proc/"))
        for own in ["socket:", "anon_inode", "sqlite"] { #expect(!shown.output.contains(own), "\(shown.output)") }
    }

    @Test func `a packet goes to both centers`() async throws {
        let global = try await Center(.global)
        try await global.serve()
        let (local, host) = try await makeSite()
        try await host.enroll(at: global)
        try await host.attack(options: ["--send-to", "both"])
        #expect(host.events("sent").map(\.destination).sorted { $0 ?? "" < $1 ?? "" } == ["global", "local"])
        let packet = host.events("spooled").compactMap(\.packet)
        #expect(try await local.events("stored").map(\.subject) == packet)
        #expect(try await global.events("stored").map(\.subject) == packet)
    }
}
