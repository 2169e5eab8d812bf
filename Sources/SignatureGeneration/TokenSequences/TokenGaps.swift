// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Bounds on gaps, where the covered samples show one. A variant that breaks a bound is missed, so each bound needs
/// enough samples.
extension TokenSequences {
    /// From this number of samples on, what they have in common is not a coincidence of the few.
    public static let samplesForBounds = 5
}

extension TokenSelection {
    /// From this number of samples on, a distance that is the same in all of them counts as fixed, and one that varies gets
    /// an upper bound far above the largest. Of gaps drawn evenly up to some length, five are all below a quarter of it with
    /// a probability of 1/1000.
    static let samplesForBounds = TokenSequences.samplesForBounds
    static let timesLargestGap = 4
    /// In bytes, added to the bound.
    static let slack = 64
    /// In bytes: tokens that are never further apart are parts of one.
    static let maxTie = 16

    var hasBounds: Bool { arrangement == .sequence && covered.count >= Self.samplesForBounds }

    /// The bounds on the distance between two tokens; `nil` if there is none.
    ///
    /// - Parameter isBounded: whether a distance that varies gets a bound as well.
    func gap(from first: Int, to second: Int, isBounded: Bool) -> ClosedRange<Int>? {
        guard hasBounds else { return nil }
        let distances = layouts.map { $0[second] - $0[first] - tokens[first].count }
        guard let least = distances.min(), let most = distances.max(), least >= 0 else { return nil }
        // Where the tokens alone are enough, a distance only helps who changes it: by filler, or by so many copies of the first
        // token that an engine tries no further (Suricata's inspection-recursion-limit).
        if least == most, isBounded || least <= Self.maxTie { return least...least }
        return isBounded ? 0...(Self.timesLargestGap * most + Self.slack) : nil
    }
}
