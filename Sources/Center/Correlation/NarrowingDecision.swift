// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// Where rules apply that rest on one host's word.
///
/// That host may be the intruder's, and what its packet says of its own addresses is its word, too: believed is only the address that
/// its connection came from. Where a device on the way translates addresses, or the host reports over another interface than it was
/// attacked on, the rule is about an address that the attack does not go to, and matches nothing until the evidence is corroborated.
public enum NarrowingDecision {
    /// The addresses that a rule is narrowed to.
    ///
    /// - Parameters:
    ///   - isEnoughToDrop: whether the site's settings have evidence of this grade make rules that drop: then one host's word is enough.
    ///   - sources: where the connections that brought the packets came from.
    /// - Returns: `nil`: the rule is for the whole site. That is so, too, where no source is known: packets that were stored by an
    ///   earlier version.
    public static func addresses(grade: EvidenceGrade, isEnoughToDrop: Bool, sources: [IPAddress]) -> [IPAddress]? {
        guard grade == .reported, !isEnoughToDrop, !sources.isEmpty else { return nil }
        // IPv4 first, each in the order of its numbers: equal sources, equal rules.
        return Set(sources.map(\.unmapped)).sorted { one, other in
            one.bytes.count == other.bytes.count
                ? one.bytes.lexicographicallyPrecedes(other.bytes) : one.bytes.count < other.bytes.count
        }
    }
}
