// SPDX-License-Identifier: Apache-2.0

extension TokenSequences {
    /// What two samples have in common.
    public struct SharedEvidence: Hashable, Sendable {
        /// The evidence, in bits, that it is more than by chance: the sum over the runs that both contain in one order, each with
        /// at most ``CoreSelection/maxBitsPerToken``. A few bytes of protocol or of common instructions are some bits, two
        /// variants of one code hundreds.
        public var bits: Double
        /// The longest run of bytes that both contain; empty if there is none of two bytes.
        public var longestRun: [UInt8]
    }

    /// What two samples have in common, in any place. Costs a few passes over both.
    public static func shared(of one: [UInt8], and other: [UInt8]) -> SharedEvidence {
        let samples = [one, other].map { Array($0.prefix(maxSampleBytes)) }
        let significance = Significance(samples: samples)
        let runs = CommonRuns(reference: samples[0], samples: samples, minHolders: 2)
        let longest = runs.tokens(heldBy: 2).max { $0.range.count < $1.range.count }?.bytes ?? []
        guard let selection = selection(2, of: samples, reference: 0, runs, significance) else {
            return SharedEvidence(bits: 0, longestRun: longest)
        }
        var presence = TokenPresence(BenignPool(streams: []))
        let core = CoreSelection(selection, presence: &presence, significance: significance, isGoodware: nil)
        return SharedEvidence(bits: core.evidence(of: Array(selection.tokens.indices)), longestRun: longest)
    }
}
