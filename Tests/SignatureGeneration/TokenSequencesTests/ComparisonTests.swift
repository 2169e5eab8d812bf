// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import TokenSequences

@Suite("The quick look at what two samples share against all that they share")
struct ComparisonTests {
    private typealias Pair = (one: [UInt8], other: [UInt8])

    private func fill(_ count: Int, of values: Int, _ random: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: Int.random(in: 0..<values, using: &random) &* 7) }
    }

    /// Pairs with runs in common of 0 to 40 bytes in any place and order, among bytes of few or many values, or fill.
    private func pair(_ random: inout SeededGenerator) -> Pair {
        let values = [2, 24, 256].randomElement(using: &random) ?? 256
        var pair: Pair = ([], [])
        let runs = (0..<Int.random(in: 0...6, using: &random)).map { _ in
            fill(Int.random(in: 1...40, using: &random), of: 256, &random)
        }
        for run in runs { pair.one += fill(Int.random(in: 0...200, using: &random), of: values, &random) + run }
        for run in Bool.random(using: &random) ? runs : runs.reversed() {
            pair.other += fill(Int.random(in: 0...200, using: &random), of: values, &random) + run
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            let sled = [UInt8](repeating: 0x90, count: Int.random(in: 1...300, using: &random))
            (pair.one, pair.other) = (sled + pair.one, pair.other + sled)
        }
        return pair
    }

    private func everything(_ pair: Pair) -> TokenSequences.SharedEvidence {
        let samples = [pair.one, pair.other]
        let tokens = CommonRuns(reference: pair.one, samples: samples, minHolders: 2).tokens(heldBy: 2)
        let longest = tokens.max { $0.range.count < $1.range.count }?.bytes ?? []
        return TokenSequences.SharedEvidence(
            bits: TokenSequences.Comparison.bits(tokens, samples, Significance(samples: samples)),
            longestRun: longest.count < 8 ? [] : longest)
    }

    @Test(arguments: SharedRunSearch.minRuns)
    func `the runs from so many bytes up are those of the automaton`(least: Int) {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<200 {
            let pair = pair(&random)
            let all = CommonRuns(reference: pair.one, samples: [pair.one, pair.other], minHolders: 2).tokens(heldBy: 2)
            guard let quick = SharedRunSearch(pair.one, minRun: least).tokens(sharedWith: pair.other)?.tokens else { continue }
            #expect(quick.map(\.range) == all.map(\.range).filter { $0.count >= least })
        }
    }

    @Test func `both give the same`() {
        var random = SeededGenerator(seed: 11)
        var (withEvidence, without) = (0, 0)
        for _ in 0..<400 {
            let pair = pair(&random)
            var comparison = TokenSequences.Comparison(of: pair.one)
            let (quick, all) = (comparison.shared(with: pair.other), everything(pair))
            #expect(quick.bits == all.bits)
            #expect(quick.longestRun.count == all.longestRun.count)
            if all.bits > 0 { withEvidence += 1 } else { without += 1 }
        }
        // Else the pairs prove nothing.
        #expect(withEvidence > 50 && without > 50)
    }

    @Test(arguments: [0, 1, 3, 4, 5])
    func `short samples are compared, too`(count: Int) {
        let bytes = Array(1...UInt8(40))
        let (one, other) = (Array(bytes.prefix(count)), Array(bytes.suffix(20) + bytes.prefix(count)))
        var comparison = TokenSequences.Comparison(of: one)
        #expect(comparison.shared(with: other) == everything((one, other)))
    }

    @Test func `fill in both is too much for a quick look, and compared all the same`() {
        let sled = [UInt8](repeating: 0x90, count: 2000)
        #expect(SharedRunSearch(sled, minRun: 4).look(at: sled) == nil)
        var comparison = TokenSequences.Comparison(of: sled)
        #expect(comparison.shared(with: sled).longestRun == sled)
    }
}
