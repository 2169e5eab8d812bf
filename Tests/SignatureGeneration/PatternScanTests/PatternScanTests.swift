// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@testable import PatternScan

@Suite("Scanner")
struct SignatureScannerTests {
    private func signature(_ patterns: [(String, ClosedRange<Int>?)], _ arrangement: Signature.Arrangement = .sequence) throws -> Signature
    {
        Signature(
            tokens: try patterns.map { try #require(Signature.Token(pattern: $0.0, gap: $0.1)) }, arrangement: arrangement, context: .any)
    }

    private func found(_ signatures: [Signature], in data: [UInt8], maxPartBytes: Int = 1 << 30) throws -> [Int] {
        let scanner = try SignatureScanner(signatures, maxPartBytes: maxPartBytes)
        return try data.withUnsafeBytes { try scanner.matches(in: $0).map(\.signature) }
    }

    /// Few byte values and short tokens, so that near misses and repeated literals abound.
    @Test(arguments: 0..<8)
    func `a scan matches exactly where the signatures do`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<12 {
            let signatures = (0..<12).map { _ in Self.randomSignature(&random) }
            let data = (0..<Int.random(in: 0...400, using: &random)).map { _ in UInt8.random(in: 1...3, using: &random) }
            let expected = signatures.indices.filter { signatures[$0].matches(data) }
            #expect(try found(signatures, in: data) == expected)
            #expect(try found(signatures, in: data, maxPartBytes: 64) == expected)
        }
    }

    private static func randomSignature(_ random: inout SeededGenerator) -> Signature {
        let tokens = (0..<Int.random(in: 1...3, using: &random)).map { index in
            let bytes = (0..<Int.random(in: 1...6, using: &random)).map { _ in UInt8.random(in: 1...3, using: &random) }
            let masked = bytes.indices.dropFirst().dropLast().filter { _ in Bool.random(using: &random) }
            let low = Int.random(in: 0...9, using: &random)
            let isBounded = Int.random(in: 0..<3, using: &random) > 0 && (index > 0 || Bool.random(using: &random))
            return Signature.Token(bytes: bytes, masked: masked, gap: isBounded ? low...low + Int.random(in: 0...20, using: &random) : nil)
        }
        let arrangement: Signature.Arrangement = Int.random(in: 0..<4, using: &random) == 0 ? .conjunction : .sequence
        return Signature(tokens: tokens, arrangement: arrangement, context: .any)
    }

    @Test
    func `a literal that occurs everywhere is tried a bounded number of times, and the match is still found`() throws {
        let data = [UInt8](repeating: 0x90, count: 20_000) + [0x41, 0x42]
        let sought = try signature([("9090909090", nil), ("41", 0...0)])
        #expect(try found([sought], in: data) == [0])
        #expect(try found([sought], in: data.dropLast(2)) == [])
    }

    @Test
    func `a match beyond the first part has the right range`() throws {
        var data = [UInt8](repeating: 0, count: 300)
        data.replaceSubrange(126..<130, with: [1, 2, 3, 4])
        let scanner = try SignatureScanner([try signature([("01020304", nil)])], maxPartBytes: 128)
        let places = try data.withUnsafeBytes { try scanner.matches(in: $0).map(\.place) }
        #expect(places == [126..<130])
    }

    @Test
    func `a signature without a fixed byte or with an impossible gap is rejected`() throws {
        let bad = [
            Signature(tokens: [], context: .any),
            Signature(tokens: [Signature.Token(bytes: [])], context: .any),
            try signature([("0102", nil), ("03", -4 ... -1)]),
            try signature([("0102", nil), ("03", 0...Int.max)]),
        ]
        for signature in bad {
            let error = #expect(throws: EpitopeError.self) { try SignatureScanner([signature]) }
            #expect(error?.code == .scannerUnbuildable)
        }
    }

    @Test
    func `without signatures nothing matches, and single bytes are matched without a literal`() throws {
        #expect(try found([], in: [1, 2, 3]) == [])
        #expect(try found([try signature([("02", nil)]), try signature([("09", nil)])], in: [1, 2, 3]) == [0])
    }

    @Test
    func `one scanner scans on several threads at once`() async throws {
        let scanner = try SignatureScanner([try signature([("010203", nil), ("0405", 0...8)])])
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<16 {
                group.addTask {
                    let data = [UInt8](repeating: UInt8(number), count: 500) + (number % 2 == 0 ? [1, 2, 3, 0, 4, 5] : [])
                    return try data.withUnsafeBytes { try scanner.matches(in: $0).count }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(counts == 8)
    }
}
