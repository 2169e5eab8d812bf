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

    /// - Parameter refused: how many of the signatures the engine's languages can't express.
    private func compare(_ found: [String: Set<Int>], _ engine: String, refused: Int = 0) {
        #expect(found.count == Self.signatures.count - refused)
        for signature in Self.signatures where found[signature.id] != nil {
            let expected = Self.expected[signature.id] ?? []
            #expect(!expected.isEmpty && expected.count < Self.corpus.count, "the corpus decides nothing of \(signature)")
            #expect((found[signature.id] ?? []) == expected, "\(engine) and the matcher differ on \(signature)")
        }
    }

    @Test(arguments: [false, true])
    func `Suricata alerts exactly where the matcher matches`(isInline: Bool) async throws {
        let capture = CaptureFile.udp(Self.corpus, destinationPort: 1434)
        compare(
            try await EngineVerdicts.suricata(Self.signatures, in: capture, isInline: isInline) {
                ($0["pcap_cnt"] as? Int).map { $0 - 1 }
            }, "suricata")
    }

    /// The same samples as streams, cut into segments that no token fits into.
    @Test(arguments: [false, true])
    func `Suricata alerts on tokens that lie in several segments`(isInline: Bool) async throws {
        // Suricata looks at each segment, too: what is tied to the start is tied to that of any of them.
        let signatures = Self.signatures.filter { $0.tokens[0].gap == nil || $0.arrangement == .conjunction }.map { signature in
            Signature(
                tokens: signature.tokens, arrangement: signature.arrangement,
                context: SignatureContext(transport: .tcp, ports: [1434], direction: .toService))
        }
        let frames = Self.corpus.enumerated().flatMap { index, sample in
            NetworkFrame.connection(from: (1, UInt16(10000 + index)), to: (2, 1434), sample, segment: 3)
        }
        let found = try await EngineVerdicts.suricata(signatures, in: NetworkFrame.capture(frames, link: 101), isInline: isInline) {
            ($0["src_port"] as? Int).map { $0 - 10000 }
        }
        for signature in signatures {
            let expected = Set(Self.corpus.indices.filter { signature.matches(Self.corpus[$0]) })
            #expect((found[signature.id] ?? []) == expected, "suricata and the matcher differ on \(signature)")
        }
    }

    @Test func `YARA matches exactly where the matcher matches`() async throws {
        compare(try await EngineVerdicts.yara(Self.signatures, in: Self.corpus), "yara")
    }

    @Test func `ClamAV matches exactly where the matcher matches`() async throws {
        compare(try await EngineVerdicts.clamav(Self.signatures, in: Self.corpus), "clamscan", refused: 1)
    }
}
