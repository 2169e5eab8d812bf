// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Bounds on gaps, as far as the covered samples speak for them. A bound that a variant breaks costs the variant, so
/// each needs enough samples.
extension TokenSelection {
    /// From so many samples on, a distance that is the same in all of them is held to be fixed, and one that varies has
    /// an upper bound: far above the largest seen. Of gaps drawn evenly up to some length, five are all below a quarter
    /// of it once in a thousand times.
    static let samplesForBounds = 5
    static let timesLargestGap = 4
    /// In bytes, on top of that.
    static let slack = 64

    var hasBounds: Bool { arrangement == .sequence && covered.count >= Self.samplesForBounds }

    /// What may lie between two tokens; `nil`: anything.
    ///
    /// - Parameter isBounded: whether a distance that varies gets a bound, too.
    func gap(from first: Int, to second: Int, isBounded: Bool) -> ClosedRange<Int>? {
        guard hasBounds else { return nil }
        let distances = layouts.map { $0[second] - $0[first] - tokens[first].count }
        guard let least = distances.min(), let most = distances.max(), least >= 0 else { return nil }
        if least == most { return least...least }
        return isBounded ? 0...(Self.timesLargestGap * most + Self.slack) : nil
    }
}
