// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PatternScan
import Signatures
import TestSupport
import Testing

/// Random signatures against data that almost matches them, or matches only at a second look: tokens that are repeated,
/// that overlap, that share bytes, that lie a byte too near or too far, masks at the ends, and the bytes that mean something
/// in a rule's text. Each engine must decide as the matcher does, or its language must refuse the signature.
@Suite("Engines agree on near misses") struct NearMissTests {
    /// What stands for something else in some rule language, ends a line or a string, or is fill.
    private static let special: [UInt8] = Array("\"\\;:|()[]{}$*?-#,&/'!~".utf8) + [0x00, 0x0a, 0x0d, 0x20, 0x90, 0xff]

    private static func byte(_ random: inout SeededGenerator) -> UInt8 {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: special.randomElement(using: &random) ?? 0
        case 1: UInt8.random(in: 0x41...0x44, using: &random)
        default: UInt8.random(in: 0...255, using: &random)
        }
    }

    private static func signature(_ random: inout SeededGenerator) -> Signature {
        let isConjunction = Int.random(in: 0..<6, using: &random) == 0
        let count = Int.random(in: 1...(isConjunction ? 4 : 6), using: &random)
        var tokens: [Signature.Token] = []
        for index in 0..<count {
            let length = Int.random(in: 0..<12, using: &random) == 0 ? 300 : Int.random(in: 4...12, using: &random)
            var bytes = (0..<length).map { _ in byte(&random) }
            // Tokens that begin or end alike are taken for one another.
            if let last = tokens.last, Int.random(in: 0..<4, using: &random) == 0 {
                bytes.replaceSubrange(0..<2, with: last.bytes.suffix(2))
            }
            let masked = bytes.indices.dropFirst(4).filter { _ in Int.random(in: 0..<8, using: &random) == 0 }
            tokens.append(Signature.Token(bytes: bytes, masked: masked, gap: isConjunction ? nil : gap(isFirst: index == 0, &random)))
        }
        return Signature(
            tokens: tokens, arrangement: isConjunction ? .conjunction : .sequence,
            context: SignatureContext(transport: .udp, ports: [1434], direction: .toService))
    }

    private static func gap(isFirst: Bool, _ random: inout SeededGenerator) -> ClosedRange<Int>? {
        let low = Int.random(in: 0...12, using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0...1: return nil
        case 2: return low...low
        case 3 where !isFirst: return 180...Int.random(in: 190...230, using: &random)
        case 4 where !isFirst: return low < 6 ? 60...60 : 100...100
        default: return isFirst ? nil : low...low + Int.random(in: 1...20, using: &random)
        }
    }

    /// In bytes: ClamAV looks into no file that is shorter than six.
    private static let minSample = 16

    /// Data around a signature's bounds.
    private static func samples(of signature: Signature, _ random: inout SeededGenerator) -> [[UInt8]] {
        (0..<16).map { _ in
            var data: [UInt8] = []
            for (index, token) in signature.tokens.enumerated() {
                let gap = token.gap ?? 0...40
                var distance = Int.random(in: gap, using: &random)
                switch Int.random(in: 0..<10, using: &random) {
                case 0: distance = gap.lowerBound
                case 1: distance = gap.upperBound
                case 2: distance = gap.upperBound + 1
                case 3: distance = max(0, gap.lowerBound - 1)
                default: break
                }
                data += filler(distance, near: signature.tokens[max(0, index - 1)], and: token, &random)
                var bytes = token.bytes.indices.map { token.masked.contains($0) ? byte(&random) : token.bytes[$0] }
                if Int.random(in: 0..<14, using: &random) == 0, let position = bytes.indices.randomElement(using: &random) {
                    bytes[position] ^= 0x20
                }
                data += bytes
            }
            let tail = max(minSample - data.count, Int.random(in: 0...20, using: &random))
            return data + filler(tail, near: signature.tokens[0], and: signature.tokens[0], &random)
        }
    }

    /// What lies between two tokens: often one of them again, or a part of it, so that the first place that is tried is not
    /// the right one.
    private static func filler(
        _ count: Int, near one: Signature.Token, and other: Signature.Token, _ random: inout SeededGenerator
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes += one.bytes
            case 1: bytes += other.bytes
            case 2: bytes += other.bytes.prefix(other.bytes.count / 2)
            default: bytes.append(byte(&random))
            }
        }
        return Array(bytes.prefix(count))
    }

    private struct Corpus {
        var signatures: [Signature] = []
        var samples: [[UInt8]] = []
        /// By signature id.
        var expected: [String: Set<Int>] = [:]
    }

    private static let corpus: Corpus = {
        var random = SeededGenerator(seed: 7)
        var corpus = Corpus()
        while corpus.signatures.count < 150 {
            let signature = signature(&random)
            guard !corpus.signatures.contains(where: { $0.id == signature.id }) else { continue }
            corpus.signatures.append(signature)
            corpus.samples += samples(of: signature, &random)
        }
        for signature in corpus.signatures {
            corpus.expected[signature.id] = Set(corpus.samples.indices.filter { signature.matches(corpus.samples[$0]) })
        }
        return corpus
    }()

    /// - Parameter minRules: how many of the signatures the language must be able to express.
    private func compare(_ found: [String: Set<Int>], _ engine: String, minRules: Int) {
        #expect(found.count >= minRules, "\(engine): only \(found.count) of \(Self.corpus.signatures.count) signatures can be written")
        for signature in Self.corpus.signatures {
            guard let verdicts = found[signature.id] else { continue }
            let expected = Self.corpus.expected[signature.id] ?? []
            let differing = verdicts.symmetricDifference(expected).sorted()
            let example = differing.first.map { (verdicts.contains($0) ? "too many: " : "missed: ") + Hex.encode(Self.corpus.samples[$0]) }
            #expect(differing.isEmpty, "\(engine) and the matcher differ on \(signature) in \(differing.count) samples; \(example ?? "")")
        }
    }

    @Test func `the corpus decides something of every signature`() {
        for signature in Self.corpus.signatures {
            let expected = Self.corpus.expected[signature.id] ?? []
            #expect(!expected.isEmpty && expected.count < Self.corpus.samples.count, "\(signature)")
        }
    }

    @Test func `Hyperscan decides as the matcher does`() throws {
        let scanner = try SignatureScanner(Self.corpus.signatures)
        var found = Dictionary(uniqueKeysWithValues: Self.corpus.signatures.map { ($0.id, Set<Int>()) })
        for (index, sample) in Self.corpus.samples.enumerated() {
            for match in try sample.withUnsafeBytes({ try scanner.matches(in: $0) }) {
                found[Self.corpus.signatures[match.signature].id]?.insert(index)
            }
        }
        compare(found, "hyperscan", minRules: 150)
    }

    @Test(arguments: [false, true])
    func `Suricata decides as the matcher does`(isInline: Bool) async throws {
        let capture = CaptureFile.udp(Self.corpus.samples, destinationPort: 1434)
        let found = try await EngineVerdicts.suricata(Self.corpus.signatures, in: capture, isInline: isInline) {
            ($0["pcap_cnt"] as? Int).map { $0 - 1 }
        }
        compare(found, "suricata", minRules: 150)
    }

    @Test(arguments: YaraProgram.present)
    func `YARA decides as the matcher does`(program: YaraProgram) async throws {
        let found = try await EngineVerdicts.yara(Self.corpus.signatures, in: Self.corpus.samples, by: program)
        compare(found, program.rawValue, minRules: 120)
    }

    @Test(.enabled(if: YaraProgram.remark.isEmpty, Comment(rawValue: YaraProgram.remark)))
    func `every YARA is compared`() {
        #expect(YaraProgram.present == YaraProgram.allCases)
    }

    @Test func `ClamAV decides as the matcher does`() async throws {
        compare(try await EngineVerdicts.clamav(Self.corpus.signatures, in: Self.corpus.samples), "clamscan", minRules: 80)
    }
}
