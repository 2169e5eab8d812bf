// SPDX-License-Identifier: Apache-2.0

public import CenterStore
import FileAccess
import EpitopeModel
public import Notifications
public import SettingsFiles
public import Signatures

/// What other systems are told, and who is told what.
public struct NotificationSettings: Hashable, Sendable, SettingsGroup {
    /// The receivers, each under a name of its own: `destinations.NAME.kind`.
    public var destinations = SettingsTable<DestinationSettings>()
    /// What is told to whom, each rule under a name of its own: `rules.NAME.to`. An event is told to a destination once, however many rules say so. Without rules nobody is told anything.
    public var rules = SettingsTable<NotificationRuleSettings>()

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("destinations", &destinations)
        try visitor.setting("rules", &rules)
    }

    public static let liveKeys: Set<String> = ["destinations", "rules"]

    /// Destinations that a center can have.
    private static let maxDestinations = 32

    public var faults: [SettingFault] {
        var faults: [SettingFault] = []
        if destinations.groups.count > Self.maxDestinations {
            faults.append(
                SettingFault(
                    "destinations",
                    EpitopeError(
                        .configurationInvalid, "there are \(destinations.groups.count) destinations",
                        remedy: "keep to \(Self.maxDestinations) of them")))
        }
        for name in rules.names {
            for (index, destination) in (rules.groups[name]?.to ?? []).enumerated() where destinations.groups[destination] == nil {
                faults.append(
                    SettingFault(
                        "rules.\(name).to.[\(index)]",
                        EpitopeError(
                            .configurationInvalid, "the rule '\(name)' tells '\(destination.prefix(80))', which is no destination",
                            remedy: "use one of: \(destinations.names.joined(separator: ", ")); or name it below 'destinations'")))
            }
        }
        return faults
    }

    /// The folders of the files that it names: in them secrets are replaced, and files that are written to are made anew.
    public var folders: [String] {
        Set(
            destinations.groups.values.flatMap { $0.paths.map { Folders.parent(of: $0.1) } }
        ).sorted()
    }

    /// Who is told of what, as the store takes it.
    public var plan: NoticePlan {
        NoticePlan(
            rules: NotificationRules(rules.names.compactMap { rules.groups[$0]?.rule }),
            destinations: destinations.groups.mapValues {
                NoticePlan.Destination(maxWaiting: $0.maxWaiting, windowMilliseconds: $0.windowMilliseconds)
            })
    }
}

/// Which events are told to whom: those that fulfil all that a rule says.
public struct NotificationRuleSettings: Hashable, Sendable, SettingsGroup {
    /// The kinds of events, as `epitope local-center events` names them, or the groups `attack`, `rule`, `identity`, `center`, `agent`, `packet`. Empty: all but those of the group packet.
    public var events: [String] = []
    /// Events that are at least so severe.
    public var minSeverity: Severity = .informational
    /// Events of evidence that is worth at least so much; what has no grade is not told then.
    public var minGrade: EvidenceGrade?
    /// Events about hosts with an address in one of these networks, such as `192.0.2.0/24`; what is about no known address is not told then.
    public var networks: [String] = []
    /// The names of the destinations.
    public var to: [String] = []

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("events", &events)
        try visitor.setting("minSeverity", &minSeverity)
        try visitor.setting("minGrade", &minGrade)
        try visitor.setting("networks", &networks)
        try visitor.setting("to", &to)
    }

    public static let liveKeys: Set<String> = ["events", "minSeverity", "minGrade", "networks", "to"]

    public var faults: [SettingFault] {
        var faults: [SettingFault] = []
        let words = EventKind.Group.allCases.map(\.rawValue) + EventKind.allCases.filter { $0 != .test }.map(\.rawValue)
        for (index, word) in events.enumerated() where NotificationRule.kinds(ofWord: word) == nil {
            let meant = SimilarWord.similar(to: word, among: words).map { "; did you mean '\($0)'?" } ?? ""
            faults.append(
                SettingFault(
                    "events.[\(index)]",
                    EpitopeError(
                        .configurationInvalid, "'\(word.prefix(80))' is no kind of event\(meant)",
                        remedy: "use one of: \(words.joined(separator: ", "))")))
        }
        for (index, network) in networks.enumerated() where IPNetwork(network) == nil {
            faults.append(
                SettingFault(
                    "networks.[\(index)]",
                    EpitopeError(
                        .configurationInvalid, "'\(network.prefix(80))' is no network",
                        remedy: "write an address, a slash and a length, such as 192.0.2.0/24 or 2001:db8::/32")))
        }
        if to.isEmpty {
            faults.append(
                SettingFault(
                    nil,
                    EpitopeError(.configurationInvalid, "the rule tells nobody", remedy: "name destinations in brackets: to: [soc]")))
        }
        return faults
    }

    /// The rule that it says.
    public var rule: NotificationRule {
        NotificationRule(
            kinds: events.reduce(into: []) { $0.formUnion(NotificationRule.kinds(ofWord: $1) ?? []) }, minSeverity: minSeverity,
            minGrade: minGrade, networks: networks.compactMap { IPNetwork($0) }, destinations: Set(to))
    }
}
