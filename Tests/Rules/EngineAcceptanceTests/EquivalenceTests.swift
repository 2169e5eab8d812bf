// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

@testable import EngineAcceptance

/// Samples and near misses of signatures of every shape, through the real engines: each must decide as our own
/// matcher does.
@Suite("Engines agree with the matcher") struct EquivalenceTests {
    private static func token(_ pattern: String, _ gap: ClosedRange<Int>? = nil) -> Signature.Token {
        Signature.Token(pattern: pattern, gap: gap) ?? .init(bytes: [])
    }

    private static let service = SignatureContext(transport: .udp, ports: [1434], direction: .toService)

    static let signatures: [Signature] =
        [
            [token("a1a2a3a4a5a6")],
            [token("b1b2b3b4??b5b6????b7b8b9ba")],
            [token("c1c2c3c4c5"), token("c6c7c8c9ca", 2...6)],
            [token("d1d2d3d4d5"), token("d6d7d8d9??da", nil), token("dbdcdddedf", 0...3)],
            [token("e1e2e3e4e5", 3...9), token("e6e7e8e9", 4...4)],
            [token("f1f2f3f4", 5...5)],
            [token("a7a8a9aa"), token("abacadae", 201...260)],
            [token("0a0b0c0d0e", nil), token("1a1b1c1d", nil)],
        ].map { Signature(tokens: $0, context: service) }
        + [
            [token("2122232425"), token("3132333435??36")], [token("41424344"), token("42434445"), token("5152535455")],
        ].map { Signature(tokens: $0, arrangement: .conjunction, context: service) }

    /// Data that lies at the bounds of a signature, on both sides of them.
    static func samples(of signature: Signature) -> [[UInt8]] {
        func fill(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x7e, count: max(0, count)) }
        func concrete(_ token: Signature.Token) -> [UInt8] {
            token.bytes.indices.map { token.masked.contains($0) ? 0x99 : token.bytes[$0] }
        }
        func laid(_ tokens: [Signature.Token], _ gaps: [Int], tail: Int = 3) -> [UInt8] {
            zip(tokens, gaps).flatMap { fill($1) + concrete($0) } + fill(tail)
        }
        let tokens = signature.tokens
        let least = tokens.map { $0.gap?.lowerBound ?? 2 }
        let most = tokens.map { $0.gap?.upperBound ?? 40 }
        var samples = [laid(tokens, least), laid(tokens, most), laid(tokens, least, tail: 0), laid(tokens.reversed(), least)]
        for index in tokens.indices {
            samples.append(laid(tokens, least.enumerated().map { $0 == index ? max(0, $1 - 1) : $1 }))
            samples.append(laid(tokens, most.enumerated().map { $0 == index ? $1 + 1 : $1 }))
            // A first attempt that fails, and the real one behind it.
            if index > 0 { samples.append(fill(most[0] > 40 ? 0 : 1) + concrete(tokens[0]) + fill(1) + laid(tokens, least)) }
            var without = tokens
            without.remove(at: index)
            samples.append(laid(without, least))
            for position in tokens[index].bytes.indices {
                var changed = laid(tokens, least)
                let start = zip(tokens, least).prefix(index).reduce(0) { $0 + $1.0.bytes.count + $1.1 } + least[index]
                changed[start + position] ^= 0x01
                samples.append(changed)
            }
        }
        return samples.filter { !$0.isEmpty }
    }

    static let corpus = signatures.flatMap(samples)

    /// Which samples each signature matches, by our own matcher.
    private static let expected: [String: Set<Int>] = Dictionary(
        uniqueKeysWithValues: signatures.map { signature in
            (signature.id, Set(corpus.indices.filter { signature.matches(corpus[$0]) }))
        })

    private func subject(_ index: Int) -> RuleInput {
        RuleInput(
            signature: Self.signatures[index], sid: SIDRange.all.lowerBound + UInt32(index), message: "sample",
            createdMilliseconds: 1_700_000_000_000)
    }

    private func written(_ folder: TemporaryFolder) throws {
        _ = try folder.makeFolder("samples")
        for (index, sample) in Self.corpus.enumerated() {
            try Data(sample).write(to: URL(fileURLWithPath: "\(folder.path)/samples/\(index)"))
        }
    }

    private func compare(_ found: [String: Set<Int>], _ engine: String) {
        for signature in Self.signatures {
            let expected = Self.expected[signature.id] ?? []
            #expect(!expected.isEmpty && expected.count < Self.corpus.count, "the corpus decides nothing of \(signature)")
            #expect((found[signature.id] ?? []) == expected, "\(engine) and the matcher differ on \(signature)")
        }
    }

    /// What Suricata finds in a capture, by the rules' signatures; `number` tells the sample of an alert.
    private func alerts(
        _ signatures: [Signature], in capture: [UInt8], number: ([String: Any]) -> Int?
    ) async throws -> [String: Set<Int>] {
        let program = try #require(EngineCommand.path(of: "suricata"), "suricata is not installed")
        let folder = try TemporaryFolder()
        let rules = try signatures.enumerated().map { index, signature in
            try SuricataRendering.render(
                RuleInput(
                    signature: signature, sid: SIDRange.all.lowerBound + UInt32(index), message: "sample",
                    createdMilliseconds: 1_700_000_000_000))
        }
        try Data(RulesFileText.render(lines: rules).utf8).write(to: URL(fileURLWithPath: "\(folder.path)/rules"))
        let yaml =
            "%YAML 1.1\n---\nstats:\n  enabled: no\noutputs:\n  - eve-log:\n      enabled: yes\n      filename: eve.json\n      types: [alert]\npacket-alert-max: 64\n"
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/suricata.yaml"))
        try Data(capture).write(to: URL(fileURLWithPath: "\(folder.path)/capture"))
        let run = try await Command.run(
            program,
            [
                "-r", "\(folder.path)/capture", "-S", "\(folder.path)/rules", "-c", "\(folder.path)/suricata.yaml", "-l", folder.path, "-k",
                "none", "--runmode", "single",
            ])
        #expect(run.status == 0, "\(run.errors) \(run.output)")
        var found: [String: Set<Int>] = [:]
        for line in try folder.read("eve.json").split(separator: "\n") {
            let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let alert = try #require(event["alert"] as? [String: Any])
            let rule = try #require(alert["signature_id"] as? Int) - Int(SIDRange.all.lowerBound)
            found[signatures[rule].id, default: []].insert(try #require(number(event)))
        }
        return found
    }

    @Test func `Suricata alerts exactly where the matcher matches`() async throws {
        let found = try await alerts(Self.signatures, in: CaptureFile.udp(Self.corpus, destinationPort: 1434)) {
            ($0["pcap_cnt"] as? Int).map { $0 - 1 }
        }
        compare(found, "suricata")
    }

    /// The same samples as streams, cut into segments that no token fits into.
    @Test func `Suricata alerts on tokens that lie in several segments`() async throws {
        // Suricata looks at each segment, too: what is tied to the start is tied to that of any of them.
        let signatures = Self.signatures.filter { $0.tokens[0].gap == nil || $0.arrangement == .conjunction }.map { signature in
            Signature(
                tokens: signature.tokens, arrangement: signature.arrangement,
                context: SignatureContext(transport: .tcp, ports: [1434], direction: .toService))
        }
        let frames = Self.corpus.enumerated().flatMap { index, sample in
            NetworkFrame.connection(from: (1, UInt16(10000 + index)), to: (2, 1434), sample, segment: 3)
        }
        let found = try await alerts(signatures, in: NetworkFrame.capture(frames, link: 101)) {
            ($0["src_port"] as? Int).map { $0 - 10000 }
        }
        for signature in signatures {
            let expected = Set(Self.corpus.indices.filter { signature.matches(Self.corpus[$0]) })
            #expect((found[signature.id] ?? []) == expected, "suricata and the matcher differ on \(signature)")
        }
    }

    @Test func `YARA matches exactly where the matcher matches`() async throws {
        let program = try #require(EngineCommand.path(of: "yara"), "yara is not installed")
        let folder = try TemporaryFolder()
        try written(folder)
        let rules = try Self.signatures.indices.map { try YaraRendering.render(subject($0)) }.joined(separator: "\n")
        try Data(rules.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/rules"))
        let run = try await Command.run(program, ["-w", "-r", "\(folder.path)/rules", "\(folder.path)/samples"])
        #expect(run.status == 0, "\(run.errors)")
        var found: [String: Set<Int>] = [:]
        for line in run.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            let sample = try #require(words.last?.split(separator: "/").last.flatMap { Int($0) })
            found[String(words[0].dropFirst("Epitope_".count)), default: []].insert(sample)
        }
        compare(found, "yara")
    }

    @Test func `ClamAV matches exactly where the matcher matches`() async throws {
        let program = try #require(EngineCommand.path(of: "clamscan"), "clamscan is not installed")
        let folder = try TemporaryFolder()
        try written(folder)
        var files = ["ndb": "", "ldb": ""]
        for index in Self.signatures.indices {
            let isConjunction = Self.signatures[index].arrangement == .conjunction
            files[isConjunction ? "ldb" : "ndb", default: ""] +=
                try (isConjunction ? RuleLanguage.clamavLDB : .clamavNDB).rendering.render(subject(index)) + "\n"
        }
        for (ending, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/rules.\(ending)")) }
        let run = try await Command.run(
            program,
            [
                "--no-summary", "--allmatch", "-i", "-d", "\(folder.path)/rules.ndb", "-d", "\(folder.path)/rules.ldb", "-r",
                "\(folder.path)/samples",
            ])
        #expect(run.status == 1, "\(run.errors)")
        var found: [String: Set<Int>] = [:]
        for line in run.output.split(separator: "\n") where line.hasSuffix(" FOUND") {
            let parts = line.split(separator: ": ")
            let sample = try #require(parts[0].split(separator: "/").last.flatMap { Int($0) })
            found[String(parts[1].dropFirst("Epitope.Signature-".count).prefix(32)), default: []].insert(sample)
        }
        compare(found, "clamscan")
    }

    @Test func `every signature is rendered for Snort, which is not installed to compare it`() {
        // Debian 12 has no Snort, so its renderings are held against golden texts and RuleStyle alone.
        print("no Snort in Debian 12: its renderings are not tried on the real engine")
        #expect(
            Self.signatures.indices.allSatisfy {
                (try? Snort2Rendering.render(subject($0))) != nil && (try? Snort3Rendering.render(subject($0))) != nil
            })
    }
}
