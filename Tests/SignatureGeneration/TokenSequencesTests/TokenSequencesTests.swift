// SPDX-License-Identifier: Apache-2.0

import Signatures
import TestSupport
import Testing
import TokenSequences

/// Inert streams: invariant tokens in random fill.
private struct Attack {
    var tokens: [[UInt8]]
    var random: SeededGenerator

    mutating func fill(_ bounds: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: bounds, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    mutating func stream() -> [UInt8] {
        tokens.reduce(fill(20...200)) { $0 + $1 + fill(20...200) }
    }

    mutating func streams(_ count: Int) -> [[UInt8]] {
        (0..<count).map { _ in stream() }
    }
}

@Suite("Token sequences from many samples")
struct TokenSequencesTests {
    private let tokens: [[UInt8]] = [Array("/cgi-bin/x?".utf8), [0xde, 0xad, 0x10, 0x42, 0x99], [0xff, 0xbf, 0x01, 0x77]]
    private let benign = BenignPool(
        streams: (0..<300).map { Array("GET /page/\($0) HTTP/1.1\r\nHost: www\($0 % 7).example\r\nAccept: */*\r\n\r\n".utf8) })

    private func attack(_ seed: UInt64, tokens: [[UInt8]]? = nil) -> Attack {
        Attack(tokens: tokens ?? self.tokens, random: SeededGenerator(seed: seed))
    }

    private func signature(_ sequence: TokenSequence) -> Signature {
        Signature(tokens: sequence.tokens, arrangement: sequence.arrangement, context: .any)
    }

    @Test(arguments: [2, 3, 5, 10, 40])
    func `the sequences match every unseen variant and nothing else`(samples: Int) throws {
        var attack = attack(UInt64(samples))
        let found = TokenSequences.make(of: attack.streams(samples), noiseShare: 0, benign: benign)
        let best = try #require(found.first)
        #expect(best.covered == Array(0..<samples))
        for stream in attack.streams(200) { #expect(signature(best).matches(stream)) }
        #expect(benign.matches(of: signature(best)) == 0)
    }

    @Test(arguments: [0.2, 0.4, 0.5])
    func `noise is left out`(share: Double) throws {
        var attack = attack(7)
        let noise = Int(20 * share)
        var samples = attack.streams(20 - noise) + (0..<noise).map { _ in attack.fill(400...600) }
        samples.shuffle(using: &attack.random)
        let best = try #require(TokenSequences.make(of: samples, noiseShare: 0.5, benign: benign).first)
        #expect(best.covered.count == 20 - noise)
        for stream in attack.streams(200) { #expect(signature(best).matches(stream)) }
    }

    /// Three tokens in every sample, one of them further away than an engine sees.
    @Test func `tokens lie within reach of one another`() throws {
        var random = SeededGenerator(seed: 41)
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        let tokens = (0..<3).map { _ in bytes(10) }
        let samples = (0..<6).map { index in
            var sample = bytes(6000)
            for (token, place) in zip(tokens, [400 + 8 * index, 4000 + 24 * index, 4200 + 40 * index]) {
                sample.replaceSubrange(place..<place + token.count, with: token)
            }
            return sample
        }
        func made(reach: Int?) -> [[[UInt8]]] {
            TokenSequences.make(of: samples, noiseShare: 0, benign: BenignPool(streams: []), reach: reach).map { $0.tokens.map(\.bytes) }
        }
        #expect(made(reach: nil).contains { $0.contains(tokens[0]) && $0.count > 1 })
        #expect(made(reach: EngineReach.streamSpan).contains([tokens[1], tokens[2]]))
        #expect(!made(reach: EngineReach.streamSpan).contains { $0.contains(tokens[0]) && $0.count > 1 })
    }

    @Test func `the tokens of crafted noise are not used`() throws {
        // Each stream of noise shares a run of its own with one stream of the attack (Perdisci and others 2006).
        var attack = attack(8)
        var samples = attack.streams(10)
        for index in 0..<10 {
            let fake = attack.fill(12...12)
            samples[index] += fake
            samples.append(attack.fill(200...300) + fake + Array("/cgi-bin/x?".utf8))
        }
        let best = try #require(TokenSequences.make(of: samples, noiseShare: 0.5, benign: benign).first)
        for stream in attack.streams(200) { #expect(signature(best).matches(stream)) }
    }

    @Test func `variants without one red herring are still matched`() throws {
        var planted = attack(9, tokens: [Array("herring-1".utf8)] + tokens + [Array("herring-2".utf8)])
        let found = TokenSequences.make(of: planted.streams(12), noiseShare: 0, benign: benign)
        #expect(found.count >= 2)
        for dropped in 0..<5 {
            var later = planted
            later.tokens.remove(at: dropped)
            for stream in later.streams(50) { #expect(found.contains { signature($0).matches(stream) }, "without token \(dropped)") }
        }
    }

    @Test func `variants without any red herring are still matched`() throws {
        // More of them than signatures that begin with the strongest tokens.
        let herrings = (1...4).map { Array("red-herring-\($0)".utf8) }
        var planted = attack(15, tokens: herrings + tokens)
        let found = TokenSequences.make(of: planted.streams(12), noiseShare: 0, benign: benign)
        planted.tokens = tokens
        for stream in planted.streams(50) { #expect(found.contains { signature($0).matches(stream) }) }
    }

    @Test func `decoys that share more with each variant than variants blind until variants are missed`() throws {
        // Half of the pool are decoys with eight runs, of which each variant has four (Newsome, Karp, Song 2006).
        var attack = attack(16)
        let spurious = (0..<8).map { _ in attack.fill(8...8) }
        var samples: [[UInt8]] = []
        for _ in 0..<10 {
            samples.append(attack.stream() + spurious.shuffled(using: &attack.random).prefix(4).flatMap { $0 + attack.fill(5...9) })
            samples.append(spurious.flatMap { $0 + attack.fill(5...9) } + attack.fill(200...300))
        }
        let found = TokenSequences.make(of: samples + attack.streams(3), noiseShare: 0.5, benign: benign)
        for stream in attack.streams(100) { #expect(found.contains { signature($0).matches(stream) }) }
    }

    @Test func `copies of one stream do not outvote other samples`() throws {
        var attack = attack(17)
        let repeated = attack.fill(500...500)
        let samples = attack.streams(5) + Array(repeating: repeated, count: 5)
        let best = try #require(TokenSequences.make(of: samples, noiseShare: 0.5, benign: benign).first)
        #expect(best.covered == Array(0..<5))
        for stream in attack.streams(100) { #expect(signature(best).matches(stream)) }
    }

    @Test func `weaker evidence of a few more samples is not taken`() throws {
        // Two streams of noise hold one of the attack's tokens: enough evidence alone, and less than all of them.
        var attack = attack(18)
        let samples =
            attack.streams(10) + (0..<8).map { _ in attack.fill(300...500) }
            + (0..<2).map { _ in attack.fill(100...200) + tokens[1] + attack.fill(100...200) }
        let best = try #require(TokenSequences.make(of: samples, noiseShare: 0.5, benign: benign).first)
        #expect(best.covered.filter { $0 >= 10 }.isEmpty)
        for stream in attack.streams(100) { #expect(signature(best).matches(stream)) }
    }

    @Test func `no token is in two sequences`() {
        var attack = attack(10)
        let found = TokenSequences.make(of: attack.streams(12), noiseShare: 0, benign: benign)
        let all = found.flatMap { $0.tokens.map(\.bytes) }
        #expect(Set(all).count == all.count)
    }

    @Test func `tokens in varying order become a conjunction`() throws {
        var attack = attack(11)
        let streams = (0..<16).map { _ in
            attack.tokens.shuffle(using: &attack.random)
            return attack.stream()
        }
        let best = try #require(TokenSequences.make(of: streams, noiseShare: 0, benign: benign).first)
        for _ in 0..<100 {
            attack.tokens.shuffle(using: &attack.random)
            #expect(signature(best).matches(attack.stream()))
        }
    }

    @Test func `tokens of benign traffic make no sequence`() {
        #expect(TokenSequences.make(of: Array(benign.streams.prefix(20)), noiseShare: 0.5, benign: benign).isEmpty)
    }

    @Test func `tokens that are common in benign traffic identify an attack by their distance`() throws {
        // Both tokens are common in long benign streams, in this order; only in the attack they lie close together.
        var attack = attack(14, tokens: [[0xff, 0xbf, 0x41], [0, 0, 0xfa, 0x10]])
        let long = BenignPool(
            streams: (0..<250).map { index in
                let fill = attack.fill(3000...3200)
                return index % 25 == 0 ? attack.tokens[0] + fill + attack.tokens[1] : fill
            })
        let best = try #require(TokenSequences.make(of: attack.streams(20), noiseShare: 0, benign: long).first)
        #expect(best.tokens.last?.gap != nil)
        #expect(long.matches(of: signature(best)) == 0)
        #expect(attack.streams(300).count { signature(best).matches($0) } == 300)
    }

    @Test func `tokens of goodware are not evidence`() {
        var attack = attack(12)
        #expect(TokenSequences.make(of: attack.streams(5), noiseShare: 0, benign: benign, isGoodware: { _ in true }).isEmpty)
    }

    @Test(arguments: [[], [[1, 2, 3]], [[], []], [[1], [1]], [[1], [2], []]] as [[[UInt8]]])
    func `too few or too short samples have no sequence`(samples: [[UInt8]]) {
        #expect(TokenSequences.make(of: samples, noiseShare: 0.5, benign: benign).isEmpty)
    }

    @Test func `the sequence of identical samples matches them`() throws {
        var attack = attack(13)
        let stream = attack.stream()
        let best = try #require(TokenSequences.make(of: [stream, stream, stream], noiseShare: 0, benign: benign).first)
        #expect(signature(best).matches(stream))
    }
}
