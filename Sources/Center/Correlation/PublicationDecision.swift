// SPDX-License-Identifier: Apache-2.0

/// Whether an attack is published to the world: no site or host that says something alone is enough, unless it is trusted.
///
/// Two count as independent if they share no network: whoever enrols under several names from one network is one.
public enum PublicationDecision: Hashable, Sendable {
    case publish
    /// Not yet; the reason, for a person.
    case wait(String)

    /// A site, or a host that reports straight to the global center, whose evidence supports the attack.
    public struct Witness: Hashable, Sendable {
        /// The networks that it reported from (``EpitopeModel/IPNetwork/site(of:)``); empty: none is known, and it is independent of
        /// nobody.
        public var networks: Set<String>
        /// Whether a person at the global center trusts it.
        public var isTrusted: Bool

        public init(networks: Set<String>, isTrusted: Bool) {
            self.networks = networks
            self.isTrusted = isTrusted
        }
    }

    public init(_ witnesses: [Witness]) {
        self =
            if witnesses.contains(where: \.isTrusted) || Self.hasIndependentPair(witnesses) { .publish } else {
                .wait(Self.reason(witnesses))
            }
    }

    /// How many share no network with each other, at least: they are taken one after the other, those that were seen from the fewest
    /// networks first.
    public static func countIndependent(_ witnesses: [Witness]) -> Int {
        let known = Set(witnesses.map(\.networks)).subtracting([[]])
        var (seen, count): (Set<String>, Int) = ([], 0)
        for networks in known.sorted(by: { ($0.count, $0.sorted().joined()) < ($1.count, $1.sorted().joined()) })
        where seen.isDisjoint(with: networks) {
            seen.formUnion(networks)
            count += 1
        }
        return count == 1 && hasIndependentPair(witnesses) ? 2 : max(count, min(1, witnesses.count))
    }

    private static func hasIndependentPair(_ witnesses: [Witness]) -> Bool {
        let known = Array(Set(witnesses.map(\.networks)).subtracting([[]]))
        return known.indices.contains { index in known[..<index].contains { $0.isDisjoint(with: known[index]) } }
    }

    private static func reason(_ witnesses: [Witness]) -> String {
        guard witnesses.count > 1 else { return "waits for a second site, or for trust in the one that reported it" }
        let networks = Set(witnesses.flatMap(\.networks)).sorted()
        let named = networks.prefix(maxNamed).joined(separator: ", ") + (networks.count > maxNamed ? ", ..." : "")
        let shared = networks.isEmpty ? "their network is not known" : "they share a network: \(named)"
        return "waits for a second site: of the \(witnesses.count) that reported it no two are independent (\(shared))"
    }

    /// The networks that a reason names.
    private static let maxNamed = 3
}
