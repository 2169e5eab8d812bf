// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import SecureChannel
import TestSupport
import Testing

/// An intruder names its programs, files and hosts as it likes: with what sets a terminal's title, goes back over a line, or begins a
/// line that looks like another event. A person at the center reads it as it is.
@Suite(.timeLimit(.minutes(5)))
struct HostileTextTests {
    private static let hostile = "\u{1b}]0;title\u{7}\u{9b}2J\u{202e}moc\r\n\u{2028}2026-01-01T00:00:00Z stored forged\u{7f}"

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func epitope(_ arguments: String...) async throws -> Command {
        try await Command.run(Command.built("epitope"), arguments, seconds: 60)
    }

    /// What a terminal might act on.
    private func unprintable(_ text: String) -> Set<String> {
        Set(
            text.unicodeScalars.filter { scalar in
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator: scalar != "\n"
                default: false
                }
            }.map { String($0.value, radix: 16) })
    }

    private func packet() -> ExtractedPacket {
        var packet = Samples.packet(hostID: "web-1")
        packet.evidence[0].detail = Self.hostile
        packet.parameters.process.name = Self.hostile
        packet.parameters.process.executable?.path = "/tmp/" + Self.hostile
        packet.parameters.process.userName = Self.hostile
        packet.parameters.system.hostName = Self.hostile
        packet.parameters.system.distribution = Self.hostile
        return packet
    }

    @Test func `no text of a host acts on the terminal of who reads it`() async throws {
        let (state, host, settings) = ("\(folder.path)/state", "\(folder.path)/host", "\(folder.path)/settings.json")
        let rules = "\(folder.path)/epitope.rules"
        try Data(#"{"requireGoodware": false, "suricata": {"socket": "\#(folder.path)/none", "rulesFile": "\#(rules)"}}"#.utf8)
            .write(to: URL(filePath: settings))
        let made = try await epitope("local-center", "init", "--state", state, "--name", "example", "--address", "127.0.0.1")
        try #require(made.status == 0, "\(made.errors)")
        let center = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", state, "--config", settings, "--listen", "127.0.0.1:0",
        ])
        let listening = try await center.line(with: "listening on")
        let port = try #require(listening.split(separator: ":").last.flatMap { UInt16($0.prefix { $0.isNumber }) })
        let token = try await epitope("local-center", "token", "--state", state, "--host", "web-1").output
        let enrolled = try await epitope(
            "enroll", "--state", host, "--center", "https://127.0.0.1:\(port)", "--token",
            token.trimmingCharacters(in: .whitespacesAndNewlines))
        try #require(enrolled.status == 0, "\(enrolled.errors)")
        let client = try CenterClient(try StoredIdentity.load(from: "\(host)/local"))
        let packet = packet()
        _ = try await client.send(EncodedPacket(packet))
        var foreign = packet
        // No hostile text is a name that a packet may have: of those that may, another host's is refused.
        foreign.parameters.system.hostID = "web-2"
        foreign.id = String(repeating: "1", count: 32)
        let refusal = await #expect(throws: EpitopeError.self) { try await client.send(EncodedPacket(foreign)) }
        #expect(unprintable("\(try #require(refusal))").isEmpty, "nor does what a center answers")
        await client.shutdown()

        var events = ""
        for _ in 0..<600 where !events.contains("proven") {
            events = try await epitope("local-center", "events", "--state", state).output
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(events.contains("proven"))
        let words: [[String]] = [
            ["events"], ["events", "--json"], ["status"], ["status", "--json"], ["show", packet.id], ["show", "--proof", packet.id],
            ["show", "--json", packet.id], ["show", "--json", "--proof", packet.id],
        ]
        for word in words {
            let shown = try await Command.run(
                Command.built("epitope"), ["local-center", word[0], "--state", state] + word.dropFirst(), seconds: 60)
            #expect(shown.status == 0, "\(word): \(shown.errors)")
            #expect(unprintable(shown.output).isEmpty && unprintable(shown.errors).isEmpty, "\(word)")
            #expect(!shown.output.split(separator: "\n").contains { $0.hasPrefix("2026-01-01") }, "\(word)")
        }
        let json = try await epitope("local-center", "show", "--state", state, "--json", packet.id).output
        #expect(try ExtractedPacket(json: json) == ExtractedPacket(encoded: packet.encoded()), "it is there as it came")
        // The first digits are enough, of packets and signatures alike.
        let beginning = try await epitope("local-center", "show", "--state", state, String(packet.id.prefix(8)))
        #expect(beginning.status == 0 && beginning.output.contains(packet.id) && !beginning.output.hasPrefix("{"), "\(beginning.output)")
        let proven = try #require(events.split(separator: "\n").first { $0.contains(" proven ") })
        let signature = try #require(proven.split(separator: " ").dropFirst(2).first.map(String.init))
        let shown = try await epitope("local-center", "show", "--state", state, String(signature.prefix(6)))
        #expect(shown.status == 0 && shown.output.contains(signature) && shown.output.contains("matches-samples"), "\(shown.output)")
        let steps = try await epitope("local-center", "events", "--state", state, "--subject", String(signature.prefix(6)))
        #expect(steps.status == 0 && steps.output.contains(" proven "), "\(steps.output)")
        let unknown = try await epitope("local-center", "show", "--state", state, "0000")
        #expect(unknown.status == 1 && unknown.errors.contains("[packet-not-found]"), "\(unknown.errors)")
        #expect(try await epitope("local-center", "show", "--state", state, String(packet.id.prefix(3))).status == 1)
        try Data(packet.encoded()).write(to: URL(filePath: "\(folder.path)/packet"))
        #expect(unprintable(try await epitope("packet", "\(folder.path)/packet").output).isEmpty)
        #expect(try await center.end() == 0)
        let log = center.errors + center.output
        #expect(log.contains("identity-mismatch"))
        #expect(unprintable(log).isEmpty)
        #expect(!log.split(separator: "\n").contains { $0.hasPrefix("2026-01-01") })
        #expect(unprintable((try? String(contentsOfFile: rules, encoding: .utf8)) ?? "").isEmpty)
    }
}
