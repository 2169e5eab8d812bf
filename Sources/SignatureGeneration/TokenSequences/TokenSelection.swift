// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Tokens that all samples of a group contain, in their common order, if there is one.
struct TokenSelection {
    var tokens: [[UInt8]]
    var arrangement: Signature.Arrangement
    /// Indices of the samples that contain all tokens in this arrangement, ascending.
    var covered: [Int]
    /// For a sequence: the positions of the tokens in each covered sample.
    var layouts: [[Int]]

    /// The most tokens that are considered. If there are more, the most specific.
    static let maxTokens = 48

    /// Adds tokens one by one, the least probable first, as long as enough samples contain all of them.
    ///
    /// - Parameter chance: the logarithm of a token's probability at one position.
    init?(_ tokens: [CommonToken], in samples: [[UInt8]], atLeast count: Int, chance: (CommonToken) -> Double) {
        let ranked = Self.ranked(tokens, chance: chance)
        guard !ranked.isEmpty else { return nil }
        let occurrences = Occurrences(of: ranked.map(\.bytes), in: samples)
        let sequence = Self.sequence(ranked, occurrences, count)
        let together = Self.together(ranked, count)
        func weight(_ chosen: [Int]) -> Double { chosen.reduce(0) { $0 - chance(ranked[$1]) } }
        // Order is evidence as well: it is given up only for half as much evidence again.
        if weight(together.chosen) > 1.5 * weight(sequence.chosen) {
            arrangement = .conjunction
            self.tokens = together.chosen.map { ranked[$0].bytes }
            covered = together.covered
            layouts = []
        } else {
            arrangement = .sequence
            self.tokens = sequence.chosen.map { ranked[$0].bytes }
            covered = sequence.covered
            layouts = sequence.covered.compactMap { occurrences.layout(of: sequence.chosen, in: $0) }
        }
        guard !self.tokens.isEmpty else { return nil }
    }

    /// The least probable tokens, without those that are another one again, a few bytes on.
    private static func ranked(_ tokens: [CommonToken], chance: (CommonToken) -> Double) -> [CommonToken] {
        let sorted = tokens.map { (token: $0, chance: chance($0)) }.sorted {
            ($0.chance, $0.token.range.lowerBound) < ($1.chance, $1.token.range.lowerBound)
        }
        var ranked: [CommonToken] = []
        for (token, _) in sorted where !ranked.contains(where: { token.isShiftedCopy(of: $0) }) {
            ranked.append(token)
            if ranked.count == maxTokens { break }
        }
        return ranked
    }

    private static func sequence(_ tokens: [CommonToken], _ occurrences: Occurrences, _ count: Int) -> (chosen: [Int], covered: [Int]) {
        var chosen: [Int] = []
        var covered: [Int] = []
        for index in tokens.indices {
            let range = tokens[index].range
            // Overlapping runs of the reference can't follow one another.
            guard !chosen.contains(where: { tokens[$0].range.overlaps(range) }) else { continue }
            let place = chosen.firstIndex { tokens[$0].range.lowerBound > range.lowerBound } ?? chosen.endIndex
            var longer = chosen
            longer.insert(index, at: place)
            let holders = chosen.isEmpty ? tokens[index].holders : covered
            let kept = holders.filter { occurrences.layout(of: longer, in: $0) != nil }
            guard kept.count >= count else { continue }
            (chosen, covered) = (longer, kept)
        }
        return (chosen, covered)
    }

    private static func together(_ tokens: [CommonToken], _ count: Int) -> (chosen: [Int], covered: [Int]) {
        var chosen: [Int] = []
        var covered: [Int] = []
        for index in tokens.indices {
            guard !chosen.contains(where: { tokens[$0].range.overlaps(tokens[index].range) }) else { continue }
            let holders = Set(tokens[index].holders)
            let kept = chosen.isEmpty ? tokens[index].holders : covered.filter(holders.contains)
            guard kept.count >= count else { continue }
            chosen.append(index)
            covered = kept
        }
        return (chosen, covered)
    }
}
