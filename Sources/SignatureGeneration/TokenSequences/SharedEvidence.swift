// SPDX-License-Identifier: Apache-2.0

extension TokenSequences {
    /// What two samples have in common.
    public struct SharedEvidence: Hashable, Sendable {
        /// The evidence, in bits, that it is more than by chance: the sum over the runs that both contain in one order, each with
        /// at most ``CoreSelection/maxBitsPerToken``. A few bytes of protocol or of common instructions are some bits, two
        /// variants of one code hundreds.
        public var bits: Double
        /// The longest run of bytes that both contain; empty if there is none of four bytes.
        public var longestRun: [UInt8]
    }

    /// A sample that others are compared with, one after the other.
    public struct Comparison {
        private let sample: [UInt8]
        private let search: SharedRunSearch

        public init(of sample: [UInt8]) {
            self.sample = Array(sample.prefix(TokenSequences.maxSampleBytes))
            search = SharedRunSearch(self.sample)
        }

        /// What the sample and another have in common, in any place. Costs one pass over the other one where there is no run in both
        /// that is no coincidence, and else a few passes over both.
        public func shared(with other: [UInt8]) -> SharedEvidence {
            let samples = [sample, Array(other.prefix(TokenSequences.maxSampleBytes))]
            let significance = Significance(samples: samples)
            var tokens = search.tokens(sharedWith: samples[1])
            let longest = tokens.map(Self.longest) ?? []
            // In short samples a run of fewer bytes than are looked for may be no coincidence.
            let least = significance.minSignificantBytes(places: sample.count, others: TokenSequences.meanLength(of: samples), of: 2)
            if tokens == nil || least < SharedRunSearch.minRun {
                tokens = CommonRuns(reference: sample, samples: samples, minHolders: 2).tokens(heldBy: 2)
            }
            return SharedEvidence(
                bits: Self.bits(tokens ?? [], samples, significance), longestRun: longest.isEmpty ? Self.longest(tokens ?? []) : longest)
        }

        /// The longest of at least ``SharedRunSearch/minRun`` bytes.
        private static func longest(_ tokens: [CommonToken]) -> [UInt8] {
            let longest = tokens.max { $0.range.count < $1.range.count }
            return longest.flatMap { $0.range.count < SharedRunSearch.minRun ? nil : $0.bytes } ?? []
        }

        /// The evidence of the runs of both samples.
        static func bits(_ tokens: [CommonToken], _ samples: [[UInt8]], _ significance: Significance) -> Double {
            guard let selection = selection(2, of: samples, reference: 0, tokens, significance) else { return 0 }
            var presence = TokenPresence(BenignPool(streams: []))
            let core = CoreSelection(selection, presence: &presence, significance: significance, isGoodware: nil)
            return core.evidence(of: Array(selection.tokens.indices))
        }
    }
}

extension Significance {
    /// The fewest bytes of a run that all of some samples hold and that is no coincidence, were they the least probable; no more than
    /// are looked for.
    ///
    /// - Parameters:
    ///   - places: the number of positions in the reference.
    ///   - others: the mean length of the other samples.
    func minSignificantBytes(places: Int, others: Double, of samples: Int) -> Int {
        (1...SharedRunSearch.minRun).first { bytes in
            isSignificant(
                chance: Double(bytes) * Self.leastByteChance, places: places, others: others, heldBy: samples, of: samples)
        } ?? SharedRunSearch.minRun
    }
}
