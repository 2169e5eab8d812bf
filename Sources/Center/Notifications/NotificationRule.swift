// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// Which events are told to whom. A rule that says nothing of something asks nothing of it.
public struct NotificationRule: Hashable, Sendable {
    /// Of one of these kinds; empty: of any but those of each packet.
    public var kinds: Set<EventKind>
    /// At least so severe.
    public var minSeverity: Severity
    /// Of evidence that is worth at least so much; what has no grade is not told then.
    public var minGrade: EvidenceGrade?
    /// About a host with an address in one of these networks; what is about no known address is not told then.
    public var networks: [IPNetwork]
    /// The names of the destinations.
    public var destinations: Set<String>

    public init(
        kinds: Set<EventKind> = [], minSeverity: Severity = .informational, minGrade: EvidenceGrade? = nil, networks: [IPNetwork] = [],
        destinations: Set<String>
    ) {
        self.kinds = kinds
        self.minSeverity = minSeverity
        self.minGrade = minGrade
        self.networks = networks
        self.destinations = destinations
    }

    /// The kinds that it can match.
    public var possibleKinds: Set<EventKind> {
        kinds.isEmpty ? Set(EventKind.allCases.filter { $0.group != .packet && $0 != .test }) : kinds
    }

    /// Whether an event is told by it.
    public func matches(_ event: NotifiedEvent) -> Bool {
        guard possibleKinds.contains(event.kind), event.severity >= minSeverity else { return false }
        if let minGrade {
            guard let grade = event.grade, grade >= minGrade else { return false }
        }
        return networks.isEmpty
            || event.addresses.contains { address in networks.contains { $0.contains(address.unmapped) || $0.contains(address) } }
    }

    /// Reads the words for kinds: a kind's own, or its group's.
    ///
    /// - Returns: `nil` where a word is neither.
    public static func kinds(ofWord word: String) -> Set<EventKind>? {
        if let group = EventKind.Group(rawValue: word) { return Set(EventKind.allCases.filter { $0.group == group && $0 != .test }) }
        guard let kind = EventKind(rawValue: word), kind != .test else { return nil }
        return [kind]
    }
}

/// All rules of a center.
public struct NotificationRules: Hashable, Sendable {
    /// In any order: what one tells, no other keeps back.
    public var rules: [NotificationRule]

    public init(_ rules: [NotificationRule]) { self.rules = rules }

    /// The kinds that any of them can match: no other event has to be looked at.
    public var possibleKinds: Set<EventKind> { rules.reduce(into: []) { $0.formUnion($1.possibleKinds) } }

    /// The destinations that are told of an event, each once, in the order of their names. That notices for a destination were dropped
    /// is not told to itself: it would add to what it can't take.
    public func destinations(of event: NotifiedEvent) -> [String] {
        let all = rules.filter { $0.matches(event) }.reduce(into: Set<String>()) { $0.formUnion($1.destinations) }
        return all.filter { event.kind != .noticesDropped || $0 != event.subject }.sorted()
    }
}
