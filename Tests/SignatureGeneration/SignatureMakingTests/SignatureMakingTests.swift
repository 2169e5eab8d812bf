// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import Signatures
import TestSupport
import Testing
import TokenSequences

@testable import SignatureMaking

@Suite struct CandidateTests {
    /// Inert bytes in the shape of code.
    private func code(_ count: Int, seed: UInt64) -> [UInt8] { InertInstructions.bytes(count, seed: seed) }

    /// Inert bytes of no shape.
    private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func sample(
        _ bytes: [UInt8], caller: Int? = nil, architecture: Architecture = .x86_64, base: UInt64 = 0x40_0000, onWire: [Range<Int>]? = nil,
        carriers: [[UInt8]] = []
    ) -> Sample {
        Sample(
            code: ExtractedCode(base: base, bytes: bytes, isWholeRegion: true), callersAddress: base + UInt64(caller ?? bytes.count),
            architecture: architecture, context: .any, onWire: onWire, carriers: carriers)
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

    private func ranked(_ samples: [Sample], goodware: [[UInt8]]? = nil, common: @escaping CandidateMaker.Common = { _, _, _, _, _ in [] })
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
        let candidates = ranked([sample(bytes, architecture: .x86_32)])
        let masked = try #require(candidates.first)
        #expect(masked.signature.provenance?.strategy == .maskedWindow)
        #expect(masked.signature.tokens[0].fixedRuns.first?.count == 32)
        #expect(masked.signature.tokens[0].pattern.hasSuffix("e8????????31c0cd80"))
        #expect(masked.signature.matches(bytes))
        let plain = try #require(candidates.first { $0.signature.provenance?.strategy == .callerWindow })
        #expect(plain.score.fragileBytes == 4)
        #expect(masked.signature.provenance?.reasons.last == "ranked before the caller window by: bytes that vary")
    }

    @Test func `bytes that differ between samples are masked`() throws {
        let common = Array(code(60, seed: 1) + [0x48, 0xc7, 0xc0, 1, 2, 0, 0] + code(21, seed: 2))
        var other = common
        for position in 63..<65 { other[position] ^= 0xff }
        let candidates = ranked([sample(common), sample(noise(7, seed: 3) + other)])
        #expect(candidates.first?.score.holdsForVariants == true)
        let first = try #require(candidates.first { $0.signature.provenance?.strategy == .maskedWindow && !$0.score.holdsForVariants })
        #expect(first.score.matchesAll)
        #expect(first.signature.matches(common) && first.signature.matches(other))
        let reasons = first.signature.provenance?.reasons ?? []
        #expect(reasons.filter { $0.hasSuffix("masked: differing between samples") }.count == 1)
    }

    @Test func `an unrelated sample does not change the window`() throws {
        let common = code(64, seed: 5)
        let candidates = ranked([sample(noise(64, seed: 6)), sample(common), sample(common)])
        let window = try #require(candidates.first { $0.signature.provenance?.strategy == .callerWindow })
        #expect(window.signature.matches(common))
        #expect(window.score.covered == 2 && window.score.samples == 3)
    }

    @Test func `a rare window comes before a caller window that goodware contains`() throws {
        let code = code(200, seed: 7)
        let first = try #require(ranked([sample(code)], goodware: [Array(code.suffix(40))]).first)
        #expect(first.signature.provenance?.strategy == .rareWindow || first.signature.provenance?.strategy == .maskedWindow)
        #expect(first.score.isAbsent == true)
        let rare = ranked([sample(code)], goodware: [Array(code.suffix(40))]).filter { $0.signature.provenance?.strategy == .rareWindow }
        #expect(!rare.isEmpty)
        #expect(rare.filter { $0.score.isAbsent != true || $0.score.maskedPositions > 0 || $0.score.fragileBytes > 0 }.isEmpty)
        #expect(rare[0].signature.provenance?.reasons.contains("goodware index: absent") == true)
    }

    @Test func `bytes of goodware are never proven absent`() {
        let code = code(200, seed: 8)
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
        let code = code(300, seed: 10)
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
        let shared = code(40, seed: 12)
        let carriers = [noise(20, seed: 13) + shared, noise(9, seed: 14) + shared]
        let samples = carriers.enumerated().map { sample(noise(80, seed: 20 + UInt64($0.offset)), onWire: [], carriers: [$0.element]) }
        let candidates = ranked(samples) { texts, _, _, _, _ in
            // What is code in the streams is as it was; the rest is noise that no two have in common.
            #expect(texts.map(\.count) == carriers.map(\.count))
            #expect(texts.allSatisfy { Signature(tokens: [.init(bytes: Array(shared.prefix(34)))], context: .any).matches($0) })
            #expect(zip(texts, carriers).allSatisfy { $0.prefix(8) != $1.prefix(8) })
            return [TokenSequence(tokens: [.init(bytes: shared)], arrangement: .sequence, covered: [0, 1], reasons: ["longest run"])]
        }
        let first = try #require(candidates.first)
        #expect(first.signature.provenance?.strategy == .tokenSequence && first.signature.tokens == [.init(bytes: shared)])
        #expect(first.score.matchesAll && first.score.isOnWire == true)
        #expect(first.signature.provenance?.reasons.first == "common to 2 of 2 streams that carried the attack")
    }

    @Test func `the reasons of alternatives say that they are alternatives`() {
        let samples = [sample(code(80, seed: 30)), sample(code(80, seed: 31))]
        let candidates = ranked(samples) { texts, _, _, _, _ in
            texts.enumerated().map {
                TokenSequence(tokens: [.init(bytes: Array($0.element[10..<40]))], arrangement: .sequence, covered: [$0.offset], reasons: [])
            }
        }
        let sequences = candidates.filter { $0.signature.provenance?.strategy == .tokenSequence }
        #expect(sequences.count == 2)
        let reasons = sequences.flatMap { $0.signature.provenance?.reasons ?? [] }
        #expect(reasons.filter { $0.contains("one of 2 alternatives") }.count == 2)
    }

    /// Three samples of one attack: a benign client's head, then code that differs in every byte.
    private func polymorphic(_ head: ProtocolHead, _ body: (UInt64) -> [UInt8]) -> [Sample] {
        (0..<3).map { sample(head.bytes + body(100 + $0)) }
    }

    @Test(arguments: ProtocolHead.all) func `the head of a request makes no candidate`(head: ProtocolHead) throws {
        for body in [{ self.code(160, seed: $0) }, { self.noise(160, seed: $0) }] {
            let samples = polymorphic(head, body)
            let candidates = SignatureCandidates.ranked(for: samples, rarity: rarity(of: []), benign: BenignPool(streams: []))
            #expect(!candidates.isEmpty)
            for candidate in candidates {
                let signature = candidate.signature
                #expect(!signature.matches(head.bytes), "\(head): \(signature)")
                for token in signature.tokens where token.fixedRuns.contains(where: { $0.count >= 4 }) {
                    let alone = Signature(tokens: [token], context: .any)
                    #expect(!alone.matches(head.bytes), "\(head): \(alone)")
                }
            }
        }
    }

    /// The last bytes of RDP's here are instructions that lead into any code: they can't be told from it.
    @Test(arguments: ProtocolHead.all.filter { $0.name != "RDP" })
    func `a decoder behind the head of a request is found`(head: ProtocolHead) throws {
        let decoder = code(40, seed: 77)
        let samples = (0..<4).map { sample(head.bytes + decoder + noise(200, seed: 50 + $0) + [0x0f, 0x05]) }
        let candidates = SignatureCandidates.ranked(for: samples, rarity: nil, benign: BenignPool(streams: []))
        let best = try #require(candidates.first { $0.signature.provenance?.strategy == .tokenSequence })
        #expect(best.score.matchesAll)
        #expect(best.signature.matches(noise(20, seed: 1) + decoder + noise(20, seed: 2)))
        #expect(!best.signature.matches(head.bytes))
    }

    @Test func `text in code makes no candidate in any coding`() {
        let text = "User-Agent: sample/1.0 (nothing in particular)\r\nAccept: */*\r\n"
        for (index, form) in TextForms.all(of: text).enumerated() {
            let samples = (0..<4).map { number in
                let seed = UInt64(index * 10 + number)
                return sample(code(60, seed: 200 + seed) + form + code(60, seed: 900 + seed))
            }
            let candidates = SignatureCandidates.ranked(for: samples, rarity: rarity(of: []), benign: BenignPool(streams: []))
            #expect(candidates.allSatisfy { !TextBytes.isPart(of: $0.signature) })
            #expect(candidates.allSatisfy { !$0.signature.matches(form) })
        }
    }

    @Test func `copies of one sample outvote nothing`() throws {
        let decoder = code(40, seed: 77)
        let different = (0..<3).map { sample(noise(30, seed: 60 + $0) + decoder + noise(200, seed: 50 + $0) + [0x0f, 0x05]) }
        let copied = [different[0], different[0], different[0], different[0]]
        for samples in [different + copied, copied] {
            for candidate in SignatureCandidates.ranked(for: samples, rarity: nil, benign: BenignPool(streams: [])) {
                #expect(candidate.score.covered > 0, "\(candidate.signature)")
            }
        }
    }

    @Test func `where a signature's bytes lie to the call`() {
        let head = ProtocolHead.all[5].bytes
        let own = sample(head + code(70, seed: 3) + code(50, seed: 4), caller: head.count + 70)
        func place(_ range: Range<Int>, masked: [Int] = []) -> Sample.Place? {
            own.place(of: Signature(tokens: [.init(bytes: Array(own.code.bytes[range]), masked: masked)], context: .any))
        }
        let caller = head.count + 70
        #expect(place(caller - 32..<caller) == .atCall)
        #expect(place(caller - 60..<caller, masked: [50, 55]) == .atCall)
        #expect(place(caller - 10..<caller + 22) == .atCall)
        #expect(place(caller - 60..<caller - 28) == .inCode)
        #expect(place(10..<42) == .beside)
        #expect(place(40..<caller, masked: Array(head.count - 40..<caller - 42)) == .beside, "the call alone does not excuse a head")
        #expect(own.place(of: Signature(tokens: [.init(bytes: noise(32, seed: 1))], context: .any)) == nil)
    }

    @Test func `which bytes of a sample are code is found out once`() {
        let places = CodePlaces()
        let head = ProtocolHead.all[5].bytes
        let samples = (0..<3).map { sample(head + code(120, seed: 3 + $0), caller: head.count + 70) }
        for _ in 0..<2 {
            for sample in samples {
                for start in [10, head.count + 10, head.count + 38] {
                    let signature = Signature(tokens: [.init(bytes: Array(sample.code.bytes[start..<start + 32]))], context: .any)
                    #expect(places.place(of: signature, in: sample) == sample.place(of: signature))
                }
            }
        }
        #expect(places.count == 3)
        var other = samples[0]
        other.callersAddress += 20
        let beginning = Signature(tokens: [.init(bytes: Array(head.prefix(32)))], context: .any)
        #expect(places.place(of: beginning, in: other) == other.place(of: beginning))
        #expect(places.count == 4, "at another call other bytes are code")
    }

    @Test func `the code of many samples is not remembered for ever`() {
        let places = CodePlaces()
        func ask(_ number: Int) {
            let sample = sample(Array("of no code".utf8) + [UInt8(number & 255), UInt8(number >> 8)] + code(12, seed: 1))
            _ = places.place(of: Signature(tokens: [.init(bytes: Array("of no code".utf8))], context: .any), in: sample)
        }
        for number in 0...CodePlaces.maxSamples { ask(number) }
        ask(CodePlaces.maxSamples)
        #expect(places.count == CodePlaces.maxSamples + 1)
        ask(0)
        #expect(places.count == CodePlaces.maxSamples + 2)
    }

    @Test func `samples without their call have no candidates`() {
        #expect(ranked([]).isEmpty)
        #expect(ranked([sample([])]).isEmpty)
        #expect(ranked([sample([1, 2, 3], caller: 3)]).count == 1)
        let astray = Sample(code: Samples.code, callersAddress: 1, architecture: .arm64, context: .any)
        #expect(ranked([astray]).isEmpty)
        #expect(ranked([astray, published]).first?.signature.tokens == [.init(bytes: Samples.callerWindow)])
    }
}

@Suite struct ScoreTests {
    private func score(_ change: (inout Score) -> Void = { _ in }) -> Score {
        var score = Score(
            isSubstantial: true, covered: 2, samples: 2, isOnWire: nil, isAbsent: nil, holdsForVariants: true, fragileBytes: 0, bits: 200,
            maskedPositions: 0, distance: 0, length: 32)
        change(&score)
        return score
    }

    @Test func `scores are compared in the stated order`() {
        let worse: [Score] = [
            score { $0.isSubstantial = false }, score { $0.covered = 1 }, score { $0.isOnWire = false }, score { $0.isAbsent = false },
            score { $0.holdsForVariants = false }, score { $0.fragileBytes = 1 }, score { $0.bits = 100 }, score { $0.maskedPositions = 1 },
            score { $0.distance = 4 },
            score { $0.length = 33 },
        ]
        #expect(worse.map { score().advantage(over: $0) } == Score.order.filter { $0 != "share of samples" })
        for (earlier, later) in zip(worse, worse.dropFirst()) { #expect(later.advantage(over: earlier) != nil) }
        #expect(worse.compactMap { $0.advantage(over: score()) }.isEmpty)
        #expect(score().advantage(over: score { $0.bits = 500 }) == nil, "beyond enough, bits say nothing")
    }
}
