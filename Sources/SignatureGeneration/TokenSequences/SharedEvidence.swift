// SPDX-License-Identifier: Apache-2.0

extension TokenSequences {
    /// What two samples have in common.
    public struct SharedEvidence: Hashable, Sendable {
        /// The evidence, in bits, that it is more than by chance: the sum over the runs that both contain in one order, each with
        /// at most ``CoreSelection/maxBitsPerToken``. A few bytes of protocol or of common instructions are some bits, two
        /// variants of one code hundreds.
        public var bits: Double
        /// The longest run of bytes that both contain; empty if there is none of eight bytes.
        public var longestRun: [UInt8]
    }

    /// A sample that others are compared with, one after the other.
    public struct Comparison {
        private let sample: [UInt8]
        /// By the length of the shortest runs that are looked for.
        private var searches: [Int: SharedRunSearch] = [:]

        public init(of sample: [UInt8]) {
            self.sample = Array(sample.prefix(TokenSequences.maxSampleBytes))
        }

        /// What the sample and another have in common, in any place. Costs one pass over the other one where there is no run in both
        /// that is no coincidence, and else a few passes over both.
        public mutating func shared(with other: [UInt8]) -> SharedEvidence {
            let samples = [sample, Array(other.prefix(TokenSequences.maxSampleBytes))]
            let significance = Significance(samples: samples)
            let (places, others) = (sample.count, TokenSequences.meanLength(of: samples))
            let least = significance.minSignificantBytes(places: places, others: others, of: 2)
            // In short samples a run of fewer bytes than are looked for may be no coincidence.
            guard SharedRunSearch.minRuns.contains(least), let found = shared(with: samples[1], from: least, others, significance) else {
                let tokens = CommonRuns(reference: sample, samples: samples, minHolders: 2).tokens(heldBy: 2)
                return SharedEvidence(bits: Self.bits(tokens, samples, significance), longestRun: Self.longest(tokens))
            }
            return SharedEvidence(
                bits: found.tokens.isEmpty ? 0 : Self.bits(found.tokens, samples, significance),
                longestRun: found.longest.count < Self.minLongest ? [] : Array(sample[found.longest]))
        }

        /// The runs of at least so many bytes that may be no coincidence, and the longest of all.
        private mutating func shared(
            with other: [UInt8], from minRun: Int, _ others: Double, _ significance: Significance
        ) -> (tokens: [CommonToken], longest: Range<Int>)? {
            let search = searches[minRun] ?? SharedRunSearch(sample, minRun: minRun)
            searches[minRun] = search
            let maxChance = Significance.maxChanceInBoth(places: sample.count, others: others)
            return search.tokens(sharedWith: other, where: { significance.chance(of: sample[$0]) <= maxChance })
        }

        /// In bytes: shorter ones are not told.
        private static let minLongest = SharedRunSearch.minRuns.upperBound

        private static func longest(_ tokens: [CommonToken]) -> [UInt8] {
            let longest = tokens.max { $0.range.count < $1.range.count }
            return longest.flatMap { $0.range.count < minLongest ? nil : $0.bytes } ?? []
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
    /// The fewest bytes of a run that all of some samples hold and that is no coincidence, were they the rarest of the samples; no more
    /// than are looked for.
    ///
    /// - Parameters:
    ///   - places: the number of positions in the reference.
    ///   - others: the mean length of the other samples.
    func minSignificantBytes(places: Int, others: Double, of samples: Int) -> Int {
        let most = SharedRunSearch.minRuns.upperBound
        return (1...most).first { bytes in
            isSignificant(chance: Double(bytes) * rarest - Self.rounding, places: places, others: others, heldBy: samples, of: samples)
        } ?? most
    }
}
