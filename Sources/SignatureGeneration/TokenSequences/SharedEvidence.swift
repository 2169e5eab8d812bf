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
            let found = search.look(at: samples[1], significance.chances(in: sample))
            let longest = found.map { Array(sample[$0.longest]) }
            // Evidence is built around a run that is no coincidence by itself. In short samples one of three bytes may be.
            let chance = found?.leastChance ?? -.infinity
            if let longest, significance.minSignificantBytes(in: samples) >= SharedRunSearch.minRun,
                !significance.isSignificant(chance: chance, in: samples)
            {
                return SharedEvidence(bits: 0, longestRun: longest)
            }
            let runs = CommonRuns(reference: sample, samples: samples, minHolders: 2)
            let most = longest ?? runs.tokens(heldBy: 2).max { $0.range.count < $1.range.count }?.bytes ?? []
            return SharedEvidence(
                bits: Self.bits(runs, samples, significance), longestRun: most.count < SharedRunSearch.minRun ? [] : most)
        }

        static func bits(_ runs: CommonRuns, _ samples: [[UInt8]], _ significance: Significance) -> Double {
            guard let selection = selection(2, of: samples, reference: 0, runs, significance) else { return 0 }
            var presence = TokenPresence(BenignPool(streams: []))
            let core = CoreSelection(selection, presence: &presence, significance: significance, isGoodware: nil)
            return core.evidence(of: Array(selection.tokens.indices))
        }
    }
}

extension Significance {
    /// Whether a run that both of two samples hold is no coincidence.
    fileprivate func isSignificant(chance: Double, in samples: [[UInt8]]) -> Bool {
        isSignificant(
            chance: chance, places: samples[0].count, others: TokenSequences.meanLength(of: samples), heldBy: samples.count,
            of: samples.count)
    }

    /// The fewest bytes that such a run has, were they the least probable.
    fileprivate func minSignificantBytes(in samples: [[UInt8]]) -> Int {
        (1...SharedRunSearch.minRun).first { isSignificant(chance: Double($0) * Self.leastByteChance, in: samples) } ?? SharedRunSearch.minRun
    }
}
