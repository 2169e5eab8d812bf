// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import Signatures
import TestSupport
import Testing
import TokenSequences

@testable import SignatureMaking

@Suite struct CandidateTests {
    /// Inert bytes without repetition, so that every window is its own.
    private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 40)
        }
    }

    private func sample(
        _ bytes: [UInt8], caller: Int? = nil, base: UInt64 = 0x40_0000, onWire: [Range<Int>]? = nil, carriers: [[UInt8]] = []
    ) -> Sample {
        Sample(
            code: ExtractedCode(base: base, bytes: bytes, isWholeRegion: true), callersAddress: base + UInt64(caller ?? bytes.count),
            architecture: .x86_32, context: .any, onWire: onWire, carriers: carriers)
    }

    /// An index of goodware without false answers.
    private func rarity(of goodware: [[UInt8]]) -> GoodwareRarity {
        GoodwareRarity(
            absentWindows: { bytes in
                guard bytes.count >= 32 else { return [] }
                return (0...bytes.count - 32).map { start in
                    !goodware.contains { Signature(tokens: [.init(bytes: Array(bytes[start..<start + 32]))], context: .any).matches($0) }
                }
            },
            surprise: { Double($0.count) * 6 })
    }

    private func ranked(_ samples: [Sample], goodware: [[UInt8]]? = nil, common: @escaping CandidateMaker.Common = { _, _, _, _ in [] })
        -> [RankedCandidate]
    {
        SignatureCandidates.ranked(
            for: samples, rarity: goodware.map(rarity), benign: BenignPool(streams: []), common: common)
    }

    private var published: Sample {
        Sample(code: Samples.code, callersAddress: Samples.callersAddress, architecture: .x86_32, context: .any)
    }

    @Test func `without goodware the published caller window comes first`() throws {
        let first = try #require(ranked([published]).first)
        #expect(first.signature.tokens == [.init(bytes: Samples.callerWindow)])
        #expect(first.signature.provenance?.strategy == .callerWindow)
        #expect(first.signature.provenance?.reasons.first == "the 32 bytes that end at the caller's address")
        #expect(first.score.isAbsent == nil && first.score.isOnWire == nil && first.score.matchesAll)
    }

    @Test func `addresses are masked and the window grows back`() throws {
        // Fixed bytes, a call out of the code, and a system call.
        let bytes = (0..<20).flatMap { [0x83, 0xc0, UInt8($0)] } + Hex.decode("e800100000" + "31c0" + "cd80")!
        let candidates = ranked([sample(bytes)])
        let masked = try #require(candidates.first)
        #expect(masked.signature.provenance?.strategy == .maskedWindow)
        #expect(masked.signature.tokens[0].fixedRuns.first?.count == 32)
        #expect(masked.signature.tokens[0].pattern.hasSuffix("e8????????31c0cd80"))
        #expect(masked.signature.matches(bytes))
        let plain = try #require(candidates.first { $0.signature.provenance?.strategy == .callerWindow })
        #expect(plain.score.fragileBytes == 4)
        #expect(masked.signature.provenance?.reasons.last == "ranked before the caller window by: address bytes")
    }

    @Test func `bytes that differ between samples are masked`() throws {
        let common = noise(64, seed: 1)
        var other = common
        for position in 50..<54 { other[position] ^= 0xff }
        let first = try #require(ranked([sample(common), sample(noise(7, seed: 3) + other)]).first)
        #expect(first.signature.provenance?.strategy == .maskedWindow)
        #expect(first.score.matchesAll)
        #expect(first.signature.matches(common) && first.signature.matches(other))
        let reasons = first.signature.provenance?.reasons ?? []
        #expect(reasons.filter { $0.hasSuffix("masked: differing between samples") }.count == 1)
    }

    @Test func `an unrelated sample does not change the window`() throws {
        let common = noise(64, seed: 5)
        let candidates = ranked([sample(noise(64, seed: 6)), sample(common), sample(common)])
        let window = try #require(candidates.first { $0.signature.provenance?.strategy == .callerWindow })
        #expect(window.signature.matches(common))
        #expect(window.score.covered == 2 && window.score.samples == 3)
    }

    @Test func `a rare window comes before a caller window that goodware contains`() throws {
        let code = noise(200, seed: 7)
        let first = try #require(ranked([sample(code)], goodware: [Array(code.suffix(40))]).first)
        #expect(first.signature.provenance?.strategy == .rareWindow || first.signature.provenance?.strategy == .maskedWindow)
        #expect(first.score.isAbsent == true)
        let rare = ranked([sample(code)], goodware: [Array(code.suffix(40))]).filter { $0.signature.provenance?.strategy == .rareWindow }
        #expect(!rare.isEmpty)
        #expect(rare.filter { $0.score.isAbsent != true || $0.score.maskedPositions > 0 || $0.score.fragileBytes > 0 }.isEmpty)
        #expect(rare[0].signature.provenance?.reasons.contains("goodware index: absent") == true)
    }

    @Test func `bytes of goodware are never proven absent`() {
        let code = noise(200, seed: 8)
        let candidates = ranked([sample(code)], goodware: [noise(50, seed: 9) + code])
        #expect(!candidates.isEmpty)
        #expect(candidates.filter { $0.score.isAbsent != false }.isEmpty)
        let strategies = candidates.compactMap(\.signature.provenance?.strategy)
        #expect(!strategies.contains(.rareWindow))
    }

    @Test func `fill is never a rare window and is ranked last`() throws {
        let fill = [UInt8](repeating: 0x90, count: 100)
        let candidates = ranked([sample(fill)], goodware: [[1, 2, 3]])
        let strategies = candidates.compactMap(\.signature.provenance?.strategy)
        #expect(strategies == [.callerWindow])
        #expect(candidates.first?.score.isSubstantial == false)
    }

    @Test func `rare windows are taken from the code that was on the wire`() throws {
        let code = noise(300, seed: 10)
        let wire = Array(code[40..<120])
        let candidates = ranked([sample(code, onWire: [40..<120], carriers: [noise(30, seed: 11) + wire])], goodware: [])
        let first = try #require(candidates.first)
        #expect(first.signature.provenance?.strategy == .rareWindow && first.score.isOnWire == true)
        let rare = candidates.filter { $0.signature.provenance?.strategy == .rareWindow }
        #expect(rare.filter { !((40..<120).contains($0.place!.lowerBound) && $0.place!.upperBound <= 120) }.isEmpty)
        let window = try #require(candidates.first { $0.signature.provenance?.strategy == .callerWindow })
        #expect(window.score.isOnWire == false)
    }

    @Test func `sequences are made of the carriers if no code was on the wire`() throws {
        let shared = noise(40, seed: 12)
        let carriers = [noise(20, seed: 13) + shared, noise(9, seed: 14) + shared]
        let samples = carriers.enumerated().map { sample(noise(80, seed: 20 + UInt64($0.offset)), onWire: [], carriers: [$0.element]) }
        let candidates = ranked(samples) { texts, _, _, _ in
            #expect(texts == carriers)
            return [TokenSequence(tokens: [.init(bytes: shared)], arrangement: .sequence, covered: [0, 1], reasons: ["longest run"])]
        }
        let first = try #require(candidates.first)
        #expect(first.signature.provenance?.strategy == .tokenSequence && first.signature.tokens == [.init(bytes: shared)])
        #expect(first.score.matchesAll && first.score.isOnWire == true)
        #expect(first.signature.provenance?.reasons.first == "common to 2 of 2 streams that carried the attack")
    }

    @Test func `the reasons of alternatives say that they are alternatives`() {
        let samples = [sample(noise(80, seed: 30)), sample(noise(80, seed: 31))]
        let candidates = ranked(samples) { texts, _, _, _ in
            texts.enumerated().map {
                TokenSequence(tokens: [.init(bytes: Array($0.element[10..<40]))], arrangement: .sequence, covered: [$0.offset], reasons: [])
            }
        }
        let sequences = candidates.filter { $0.signature.provenance?.strategy == .tokenSequence }
        #expect(sequences.count == 2)
        let reasons = sequences.flatMap { $0.signature.provenance?.reasons ?? [] }
        #expect(reasons.filter { $0.contains("one of 2 alternatives") }.count == 2)
    }

    @Test func `samples without their call have no candidates`() {
        #expect(ranked([]).isEmpty)
        #expect(ranked([sample([])]).isEmpty)
        #expect(ranked([sample([1, 2, 3], caller: 3)]).count == 1)
        let astray = Sample(code: Samples.code, callersAddress: 1, architecture: .arm64, context: .any)
        #expect(ranked([astray]).isEmpty)
        #expect(ranked([astray, published]).count == 1)
    }
}

@Suite struct ScoreTests {
    private func score(_ change: (inout Score) -> Void = { _ in }) -> Score {
        var score = Score(
            isSubstantial: true, covered: 2, samples: 2, isOnWire: nil, isAbsent: nil, fragileBytes: 0, bits: 200,
            maskedPositions: 0, distance: 0, length: 32)
        change(&score)
        return score
    }

    @Test func `scores are compared in the stated order`() {
        let worse: [Score] = [
            score { $0.isSubstantial = false }, score { $0.covered = 1 }, score { $0.isOnWire = false }, score { $0.isAbsent = false },
            score { $0.fragileBytes = 1 }, score { $0.bits = 100 }, score { $0.maskedPositions = 1 }, score { $0.distance = 4 },
            score { $0.length = 33 },
        ]
        #expect(worse.map { score().advantage(over: $0) } == Score.order.filter { $0 != "share of samples" })
        for (earlier, later) in zip(worse, worse.dropFirst()) { #expect(later.advantage(over: earlier) != nil) }
        #expect(worse.compactMap { $0.advantage(over: score()) }.isEmpty)
        #expect(score().advantage(over: score { $0.bits = 500 }) == nil, "beyond enough, bits say nothing")
    }
}
