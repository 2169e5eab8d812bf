// SPDX-License-Identifier: Apache-2.0

import Signatures
import TestSupport
import Testing

@testable import TokenSequences

@Suite("Common runs against trying every run")
struct CommonRunsTests {
    private func bytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0..<3, using: &random) }
    }

    private func holds(_ run: ArraySlice<UInt8>, _ sample: [UInt8]) -> Bool {
        run.isEmpty || sample.indices.contains { sample[$0...].starts(with: run) }
    }

    @Test func `the automaton finds the longest run that ends at each place`() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<300 {
            let text = bytes(Int.random(in: 1...40, using: &random), &random)
            let other = bytes(Int.random(in: 0...40, using: &random), &random)
            let expected = text.indices.map { end in
                (0...end + 1).last { length in holds(text[(end + 1 - length)..<end + 1], other) } ?? 0
            }
            #expect(SuffixAutomaton(text).commonRuns(with: other).map(Int.init) == expected)
        }
    }

    @Test func `tokens are the maximal runs that enough samples contain`() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<60 {
            let samples = (0..<4).map { _ in bytes(20, &random) }
            let runs = CommonRuns(reference: samples[0], samples: samples, minHolders: 2)
            for count in 2...4 {
                let tokens = runs.tokens(heldBy: count)
                for token in tokens {
                    #expect(token.holders == samples.indices.filter { holds(token.bytes[...], samples[$0]) })
                    #expect(token.holders.count >= count)
                    for wider in [token.range.lowerBound - 1..<token.range.upperBound, token.range.lowerBound..<token.range.upperBound + 1]
                    where wider.lowerBound >= 0 && wider.upperBound <= 20 {
                        #expect(samples.count { holds(samples[0][wider], $0) } < count, "\(token.range) is maximal")
                    }
                }
                // Every run that enough samples hold lies in a token.
                for start in 0..<19 {
                    for end in start + 2...20 where samples.count(where: { holds(samples[0][start..<end], $0) }) >= count {
                        #expect(tokens.contains { $0.range.lowerBound <= start && end <= $0.range.upperBound })
                    }
                }
            }
        }
    }

    @Test func `only short runs of few samples are explained by chance`() {
        let significance = Significance(samples: [[]])
        #expect(!significance.isSignificant(chance: significance.chance(of: [1, 2]), places: 1000, others: 1000, heldBy: 2, of: 2))
        #expect(significance.isSignificant(chance: significance.chance(of: [1, 2, 3, 4]), places: 500, others: 500, heldBy: 3, of: 3))
        #expect(significance.isSignificant(chance: significance.chance(of: [1, 2]), places: 1000, others: 1000, heldBy: 10, of: 10))
        #expect(!significance.isSignificant(chance: significance.chance(of: [1, 2, 3, 4]), places: 8192, others: 8192, heldBy: 1, of: 2))
    }

    @Test func `the levels of coverage end at the noise share`() {
        #expect(TokenSequences.levels(of: 10, noise: 0.7).last == 3)
        #expect(TokenSequences.levels(of: 10, noise: 0.5) == [10, 9, 8, 7, 6, 5])
        #expect(TokenSequences.levels(of: 3, noise: 0.5) == [3, 2])
        #expect(TokenSequences.levels(of: 2, noise: 0.8) == [2])
        #expect(TokenSequences.levels(of: 1000, noise: 0).count == 1)
    }

    @Test func `a run that too few samples contain is not a token`() {
        let runs = CommonRuns(reference: [1, 2, 3, 4], samples: [[1, 2, 3, 4], [1, 2], [9, 1, 2, 9]], minHolders: 3)
        #expect(runs.tokens(heldBy: 3).map(\.bytes) == [[1, 2]])
    }

    @Test func `a scanner finds every position of every token`() {
        var random = SeededGenerator(seed: 3)
        let text = bytes(300, &random)
        let tokens = (0..<64).map { _ in bytes(Int.random(in: 2...5, using: &random), &random) }
        var found = tokens.map { _ in [Int]() }
        TokenScanner(tokens).scan(text) { token, place in
            found[token].append(place)
            return true
        }
        #expect(found == tokens.map { token in text.indices.filter { text[$0...].starts(with: token) } })
        var first = tokens.map { _ in [Int]() }
        TokenScanner(tokens).scan(text) { token, place in
            first[token].append(place)
            return false
        }
        #expect(first == found.map { Array($0.prefix(1)) })
    }

    /// A sled and variants of it, sought in a sled: each place of the text begins like all of them.
    @Test func `tokens of fill cost a few comparisons for each byte, and are all found`() {
        let text = [UInt8](repeating: 0x90, count: 8000) + [1] + [UInt8](repeating: 0x90, count: 8000) + [2]
        let tokens = (0..<16).map { [UInt8](repeating: 0x90, count: 7000 + $0) + [UInt8($0 % 3)] } + [[UInt8](repeating: 0x90, count: 7990)]
        var found = tokens.map { _ in [Int]() }
        let compared = TokenScanner(tokens).scan(text) { token, place in
            found[token].append(place)
            return true
        }
        // A token's own length is compared once more before it is sought alone.
        #expect(compared <= tokens.count * (text.count * (TokenScanner.comparisonsPerByte + 1) + 8000))
        for (index, token) in tokens.enumerated() {
            let ends = token.last == 0x90 ? [] : text.indices.filter { text[$0] == token.last && $0 + 1 >= token.count }
            let expected = token.last == 0x90 ? Array(0...10) + Array(8001...8011) : ends.map { $0 + 1 - token.count }
            #expect(found[index] == expected, "token \(index)")
        }
    }

    @Test func `places are found again, few or many`() {
        var random = SeededGenerator(seed: 5)
        for count in [0, 3, 40, 2000] {
            let places = Set((0..<count).map { _ in Int.random(in: 0..<3000, using: &random) }).sorted()
            var kept = Places(below: 3000)
            for place in places { kept.append(place) }
            for least in stride(from: 0, through: 3100, by: 7) { #expect(kept.first(from: least) == places.first { $0 >= least }) }
        }
    }

    @Test func `a run in fill is one token, and leaves room for others`() throws {
        let fill = [UInt8](repeating: 0x90, count: 3000)
        let code = (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
        let samples = (0..<4).map { Array(repeating: UInt8($0), count: 9) + fill + [UInt8](repeating: UInt8(100 + $0), count: 5) + code }
        let found = TokenSequences.make(of: [samples[0] + fill] + samples, noiseShare: 0.2, benign: BenignPool(streams: []))
        #expect(found.contains { $0.tokens.contains { $0.bytes.starts(with: code[..<32]) } })
    }

    @Test func `copies of a sample count at most twice`() {
        #expect(TokenSequences.withoutCopies([[1], [2], [1], [1], [3], [1]]) == [[1], [2], [1], [3]])
    }

    @Test func `the logarithm of a binomial coefficient is exact`() {
        #expect(abs(Significance.logarithmOfChoices(2, of: 5) - 2.302_585) < 1e-5)
        #expect(Significance.logarithmOfChoices(0, of: 5) == 0)
        #expect(Significance.logarithmOfChoices(5, of: 5) == 0)
    }
}
