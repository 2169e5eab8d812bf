// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareIndex
import SignatureMaking
import Signatures
import TestSupport
import TokenSequences

/// Samples that hold long repetitions: sleds are ordinary, and an attacker sends what he likes.
extension WorstCases {
    /// In bytes: as much as is used of a sample.
    private static let sampleBytes = TokenSequences.maxSampleBytes

    static let strategies: [WorstCase] = [
        WorstCase(
            name: "sequences-sled", what: "samples of a sled and a few bytes: TokenSequences", maxMemory: 200, fixedMemory: 64 << 20,
            make: { size, _ in sequences(samples(size) { sled(0x90, sampleBytes - 64) + $1.bytes(16...64) }) }),
        WorstCase(
            name: "sequences-sleds", what: "samples of many sleds, each longer than the one before: TokenSequences", maxMemory: 200,
            fixedMemory: 64 << 20,
            make: { size, _ in
                sequences(samples(size) { number, _ in (100...220).flatMap { sled(0x90, $0) + [UInt8(truncatingIfNeeded: number + $0)] } })
            }),
        WorstCase(
            name: "sequences-period", what: "samples that repeat a few bytes, each with another fault: TokenSequences", maxMemory: 200,
            fixedMemory: 64 << 20,
            make: { size, _ in
                sequences(
                    samples(size) { number, random in
                        var bytes = (0..<sampleBytes).map { [0x48, 0x31, 0xc0, 0x90, 0x48][$0 % 5] as UInt8 }
                        for _ in 0..<40 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: number) }
                        return bytes
                    })
            }),
        WorstCase(
            name: "sequences-pool", what: "sleds against benign streams of the same fill: TokenSequences", sizes: [1 << 20, 8 << 20],
            maxMemory: 20, fixedMemory: 128 << 20,
            make: { size, _ in
                let pool = BenignPool(streams: (0..<max(1, size >> 20)).map { _ in zeros(1 << 20) })
                let few = samples(4 * sampleBytes) { zeros(sampleBytes / 2) + [UInt8($0 + 1)] + $1.bytes(40...60) + zeros(4000) }
                return sequences(few, pool, bytes: pool.streams.count << 20)
            }),
        WorstCase(
            name: "candidates-sled", what: "code of 8 KiB, a sled up to the call, with goodware that has none: SignatureCandidates",
            sizes: [64 << 10, 256 << 10], maxMemory: 400, fixedMemory: 64 << 20,
            make: { size, _ in
                let index = GoodwareIndex(of: [])
                let code = (0..<max(2, size / 8192)).map { sled(0x90, 8100) + [0x0f, 0x05] + sled(UInt8($0 % 200), 90) }
                let samples = code.map { code in
                    Sample(
                        code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true), callersAddress: 0x1000 + 8102,
                        architecture: .x86_64, context: .any)
                }
                return WorstCase.Input(bytes: samples.count * 8192) {
                    _ = SignatureCandidates.ranked(for: samples, goodware: index, benign: BenignPool(streams: []), noiseShare: 0.5)
                    return nil
                }
            }),
        candidates("candidates-alike", "four samples of the same instructions in other orders") { size, random in
            (0..<size / 8).flatMap { _ in alike[Int.random(in: alike.indices, using: &random)] }
        },
        candidates("candidates-stretches", "four samples of many stretches of code in noise") { size, random in
            (0..<size / 96).flatMap { _ in random.bytes(32...32) + InertInstructions.bytes(64, &random) }
        },
        candidates("candidates-prefixes", "four samples of nothing but prefixes") { size, _ in
            (0..<size).map { [0x66, 0x48, 0xf2, 0x2e][$0 % 4] }
        },
        candidates("candidates-text", "four samples of text and code in turn") { size, random in
            (0..<size / 48).flatMap { _ in Array("Cookie: id=1\r\nа".utf8) + InertInstructions.bytes(32, &random) }
        },
        candidates("candidates-loops", "four samples of branches that lead everywhere") { size, random in
            (0..<size / 2).flatMap { _ in [0x74, UInt8.random(in: 0...255, using: &random)] }
        },
    ]

    /// Instructions of several lengths that programs have everywhere.
    private static let alike: [[UInt8]] = [
        [0x48, 0x89, 0xc3], [0x48, 0x8b, 0x45, 0xf8], [0x31, 0xc0], [0x48, 0xc7, 0xc0, 1, 2, 0, 0], [0x48, 0x83, 0xc4, 8], [0x50],
    ]

    /// Few samples, which are compared in every way that there is: by windows, instructions, and sequences.
    private static func candidates(
        _ name: String, _ what: String, _ make: @escaping @Sendable (Int, inout SeededGenerator) -> [UInt8]
    ) -> WorstCase {
        WorstCase(
            name: name, what: "\(what), up to the call: SignatureCandidates", sizes: [4 * 2048, 4 * ExtractedPacket.maxCodeBytes],
            maxMemory: 1200, fixedMemory: 64 << 20, maxNanoseconds: 200_000,
            make: { size, _ in
                var random = SeededGenerator(seed: 1)
                let index = GoodwareIndex(of: [])
                let samples = (0..<4).map { _ in
                    let code = Array(make(size / 4 - 2, &random).prefix(size / 4 - 2)) + [0x0f, 0x05]
                    return Sample(
                        code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true),
                        callersAddress: 0x1000 + UInt64(code.count), architecture: .x86_64, context: .any)
                }
                return WorstCase.Input(bytes: samples.reduce(0) { $0 + $1.code.bytes.count }) {
                    _ = SignatureCandidates.ranked(for: samples, goodware: index, benign: BenignPool(streams: []), noiseShare: 0.5)
                    return nil
                }
            })
    }

    private static func sled(_ byte: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: byte, count: count) }

    private static func samples(_ size: Int, _ make: (_ number: Int, inout SeededGenerator) -> [UInt8]) -> [[UInt8]] {
        var random = SeededGenerator(seed: 1)
        return (0..<max(2, size / sampleBytes)).map { make($0, &random) }
    }

    private static func sequences(_ samples: [[UInt8]], _ pool: BenignPool = BenignPool(streams: []), bytes: Int? = nil) -> WorstCase.Input
    {
        WorstCase.Input(bytes: bytes ?? samples.reduce(0) { $0 + $1.count }) {
            for found in TokenSequences.make(of: samples, noiseShare: 0.5, benign: pool) where found.tokens.isEmpty {
                broken("a sequence without tokens")
            }
            return nil
        }
    }
}
