// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The numbers (sids) of Epitope's rules.
///
/// By convention (published by sidallocation.org), 1,000,000 to 1,999,999 is for a site's own, hand-written rules,
/// 2,000,000 to 2,999,999 mostly for Emerging Threats, and blocks of 100,000 from 3,000,000 are assigned to publishers.
/// 3,900,000 to 3,999,999 is not assigned (looked up in November 2026). The local range is avoided on purpose: Suricata
/// rejects a rule that has the sid of a rule in another file, and there a clash is likely.
public enum SIDRange {
    /// Enough for 100,000 signatures at a time.
    public static let all: ClosedRange<UInt32> = 3_900_000...3_999_999

    /// For the rules that a site makes itself.
    public static let ofSite: ClosedRange<UInt32> = 3_900_000...3_949_999

    /// For the rules that a global center publishes. It gives the numbers and sends them along, so that a rule has the same one at
    /// every site that takes it, and none that a site gives itself. (The last number of ``all`` is that of a question to Suricata.)
    public static let ofGlobalCenter: ClosedRange<UInt32> = 3_950_000...3_999_998

    /// Every number that an engine takes.
    public static let possible: ClosedRange<UInt32> = 1...UInt32.max

    /// For rules that are made without a center: the upper half of the range for a site's own rules, since people count from
    /// its beginning. None of them is ever the number of a center's rule.
    public static let withoutCenter: ClosedRange<UInt32> = 1_500_000...1_999_999

    /// The number that a signature has in a range: the same wherever and whenever its rule is made. Of those without a center, two of
    /// a hundred signatures have the same one in one of a hundred cases; a center gives the later one the next that is free.
    public static func number(ofSignature id: String, in range: ClosedRange<UInt32> = withoutCenter) -> UInt32 {
        // The id is the beginning of a hash, so that its digits are spread evenly.
        let hash = Hex.decode(id.prefix(16))?.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } ?? 0
        return range.lowerBound + UInt32(hash % UInt64(range.count))
    }
}
