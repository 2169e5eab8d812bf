// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What a person decides by command, in the Suricata that has the rules, with its line in the audit log.
@Suite(.serialized) struct ControlTests {
    private struct Entry: Decodable {
        var actor: String
        var action: String
        var subject: String
    }

    private func audited(_ center: Center, by person: String = "user ") async throws -> [String] {
        let listed = try await epitope([
            center.kind.rawValue, "audit", "list", "--state", center.state, "--json", "--by", person, "--limit", "1000",
        ])
        try #require(listed.status == 0, "\(listed.errors)")
        return try JSONDecoder().decode([Entry].self, from: Data(listed.output.utf8)).map { "\($0.action) \($0.subject)" }
    }

    private func succeeds(_ center: Center, _ noun: String, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation)
        async throws -> String
    {
        let command = try await epitope([center.kind.rawValue, noun, "--state", center.state] + arguments)
        #expect(command.status == 0, "\(command.errors)", sourceLocation: sourceLocation)
        return command.output
    }

    @Test func `an update waits, is tried, goes live once it is approved, and leaves with what it is allowed for`() async throws {
        let suricata = try Suricata()
        try await suricata.start()
        let center = try await Center()
        try await center.serve(suricata.options, settings: ["mode": "approve"])
        let host = try Host()
        try await host.enroll(at: center)
        try await host.attack()
        try await eventually("it waits") { try await center.events("held").count == 1 }
        #expect(try await suricata.loaded() == 0)
        let signature = try #require(try await center.events("held").first?.subject)
        let waiting = try await succeeds(center, "updates", "--waiting")
        #expect(waiting.contains(signature) && waiting.contains("by the setting mode: approve"), "\(waiting)")

        // What would it hit? The code itself, in a capture of today.
        let packet = try #require(try await center.events("stored").first?.subject)
        let shown = try await succeeds(center, "show", packet, "--json")
        let hex = try #require(shown.matches(of: /"([0-9a-f]{130,})"/).map { String($0.1) }.max { $0.count < $1.count }, "\(shown)")
        let code = stride(from: 0, to: hex.utf8.count, by: 2).compactMap { at -> UInt8? in
            let start = hex.index(hex.startIndex, offsetBy: at)
            return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)
        }
        let folder = try TemporaryFolder()
        let capture = folder.path + "/today.pcap"
        try Data(CaptureFile.udp([code, Array("benign".utf8)], destinationPort: 9555)).write(to: URL(filePath: capture))
        let simulated = try await succeeds(center, "simulate", String(signature.prefix(12)), "--days", "3650", "--capture", capture)
        #expect(simulated.contains(signature) && simulated.contains("looked at 1 files"), "\(simulated)")
        let policy = folder.path + "/new.yaml"
        try "mode: observe\nmodes: [\"grade reported: automatic\"]\n".write(toFile: policy, atomically: true, encoding: .utf8)
        let forecast = try await succeeds(center, "simulate", "--policy", policy, "--days", "3650", "--capture", capture)
        #expect(forecast.contains("waiting-approval") && forecast.contains("automatic"), "\(forecast)")
        #expect(try await suricata.loaded() == 0, "nothing of that goes live")

        let approved = try await succeeds(center, "approve", signature)
        #expect(approved.contains("approved: \(signature)"), "\(approved)")
        try await eventually("the rule is live") { try await suricata.loaded() == 1 }
        // No longer narrowed to its reporter.
        let hit = try await succeeds(center, "simulate", signature, "--days", "3650", "--capture", capture)
        #expect(hit.contains(":9555, in \(capture)"), "\(hit)")
        _ = try await succeeds(center, "pin", signature, "--reason", "the worm of May")
        _ = try await succeeds(center, "unpin", signature)
        _ = try await succeeds(center, "lifetime", signature, "--days", "7")

        let text = try await succeeds(center, "show", packet)
        let hash = try #require(text.firstMatch(of: /SHA-256 ([0-9a-f]{64})/).map { String($0.1) }, "\(text)")
        let allowed = try await succeeds(center, "allow", "--code", hash, "--reason", "our scanner's check")
        #expect(allowed.contains("withdrawn: \(signature)"), "\(allowed)")
        #expect(allowed.contains("learned: reports of that code count for nothing"), "\(allowed)")
        try await eventually("the rule has left Suricata") { try await suricata.loaded() == 0 }
        try await host.attack()
        let other = try Host("host-2")
        try await other.enroll(at: center)
        try await other.attack()
        try await eventually("it counts for nothing") { try await !center.events("unusable").isEmpty }
        #expect(try await suricata.loaded() == 0)
        #expect(try await succeeds(center, "allowed").contains(hash))
        _ = try await succeeds(center, "allowed", "--remove", "--code", hash)
        _ = try await succeeds(center, "reinstate", signature)
        try await eventually("the rule is live again") { try await suricata.loaded() == 1 }
        let withdrawn = try await succeeds(center, "withdraw", "--reporter", "host-1", "--reason", "it was taken over")
        #expect(withdrawn.contains("withdrawn: \(signature)") && withdrawn.contains("near variants of it"), "\(withdrawn)")
        try await eventually("it has left") { try await suricata.loaded() == 0 }

        let done = try await audited(center).filter { !$0.hasPrefix("token-made") }
        #expect(
            done == [
                "approved \(signature)", "pinned \(signature)", "unpinned \(signature)", "lifetime-changed \(signature)", "allowed \(hash)",
                "withdrawn \(signature)", "learned \(signature)", "disallowed \(hash)", "reinstated \(signature)", "withdrawn \(signature)",
                "learned \(signature)",
            ], "\(done)")
        let own = try await audited(center, by: "center").filter { $0.hasSuffix(signature) }
        #expect(own == ["proven", "held", "delivered", "removed", "delivered", "removed"].map { "\($0) \(signature)" }, "\(own)")
        let verified = try await epitope([center.kind.rawValue, "audit", "verify", "--state", center.state])
        #expect(verified.status == 0 && verified.output.contains("whole: "), "\(verified.errors)")
        try await center.stop()
    }
}
