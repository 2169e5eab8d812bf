// SPDX-License-Identifier: Apache-2.0

import Signatures

extension TokenSelection {
    /// Adds the shorter tokens between those of the sequence: in a short segment, a run of two bytes is significant that
    /// would be a coincidence in a whole sample.
    func refined(in samples: [[UInt8]], significance: Significance) -> TokenSelection {
        guard arrangement == .sequence else { return self }
        var refined = self
        var tokens: [[UInt8]] = []
        for index in 0...self.tokens.count {
            let segments = covered.indices.map { Array(samples[covered[$0]][segment(index, ofSampleAt: $0, samples)]) }
            if let reference = segments.first, reference.count >= 2 {
                tokens += Self.tokens(of: segments, reference: reference, significance)
            }
            if index < self.tokens.count { tokens.append(self.tokens[index]) }
        }
        let occurrences = Occurrences(of: tokens, in: samples)
        let order = Array(tokens.indices)
        let layouts = covered.map { occurrences.layout(of: order, in: $0) }
        // The earliest positions can differ from those in the segments: then the refinement is wrong.
        guard !layouts.contains(where: { $0 == nil }) else { return self }
        refined.tokens = tokens
        refined.layouts = layouts.compactMap { $0 }
        return refined
    }

    /// The bytes between two neighbouring tokens of a covered sample, before the first, or after the last.
    private func segment(_ index: Int, ofSampleAt position: Int, _ samples: [[UInt8]]) -> Range<Int> {
        let layout = layouts[position]
        let start = index == 0 ? 0 : layout[index - 1] + tokens[index - 1].count
        let end = index == tokens.count ? samples[covered[position]].count : layout[index]
        return start..<max(start, end)
    }

    private static func tokens(of segments: [[UInt8]], reference: [UInt8], _ significance: Significance) -> [[UInt8]] {
        let others = Double(segments.dropFirst().reduce(0) { $0 + $1.count }) / Double(max(1, segments.count - 1))
        let chances = significance.chances(in: reference)
        let common = commonTokens(of: segments, reference: reference, others: others, significance).filter {
            significance.isSignificant(
                chance: chances.of($0.range), places: reference.count, others: others, heldBy: segments.count, of: segments.count)
        }
        return TokenSelection(common, in: segments, atLeast: segments.count, chance: { chances.of($0.range) })
            .flatMap { $0.arrangement == .sequence ? $0.tokens : nil } ?? []
    }

    /// The runs that all segments hold, of which coincidences may be left out.
    private static func commonTokens(
        of segments: [[UInt8]], reference: [UInt8], others: Double, _ significance: Significance
    ) -> [CommonToken] {
        let least = significance.minSignificantBytes(places: reference.count, others: others, of: 2)
        if segments.count == 2, SharedRunSearch.minRuns.contains(least),
            let tokens = SharedRunSearch(reference, minRun: least).tokens(sharedWith: segments[1])?.tokens
        {
            return tokens
        }
        return CommonRuns(reference: reference, samples: segments, minHolders: segments.count).tokens(heldBy: segments.count)
    }
}
