// SPDX-License-Identifier: Apache-2.0

extension TokenSequences {
    /// The evidence, in bits, that two samples have more in common than by chance: the sum over the runs that both contain in
    /// one order, each with at most ``CoreSelection/maxBitsPerToken``. A few bytes of protocol or of common instructions are
    /// some bits, two variants of one code hundreds.
    public static func sharedBits(of one: [UInt8], and other: [UInt8]) -> Double {
        let samples = [one, other].map { Array($0.prefix(maxSampleBytes)) }
        let significance = Significance(samples: samples)
        let runs = CommonRuns(reference: samples[0], samples: samples, minHolders: 2)
        guard let selection = selection(2, of: samples, reference: 0, runs, significance) else { return 0 }
        var presence = TokenPresence(BenignPool(streams: []))
        let core = CoreSelection(selection, presence: &presence, significance: significance, isGoodware: nil)
        return core.evidence(of: Array(selection.tokens.indices))
    }
}
