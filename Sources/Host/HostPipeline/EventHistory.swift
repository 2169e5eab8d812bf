// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel

extension EpitopeError.Code {
    /// The event log has no event of that name, or several.
    public static let eventUnknown = EpitopeError.Code("event-unknown")
}

/// The events that are still in a host's log, oldest first. A packet's event names its program's package, also where that was found
/// later.
public struct EventHistory: Sendable {
    public let events: [HostEvent]
    /// Lines that are no events of this version.
    public let unreadable: Int

    public init(_ events: [HostEvent], unreadable: Int = 0) {
        self.events = Self.withPackages(events)
        self.unreadable = unreadable
    }

    private static func withPackages(_ events: [HostEvent]) -> [HostEvent] {
        var found: [String: HostEvent] = [:]
        for event in events where event.event == .packageFound { if let packet = event.packet { found[packet] = event } }
        return events.map { event in
            guard event.event == .packetMade, let late = event.packet.flatMap({ found[$0] }) else { return event }
            var event = event
            (event.package, event.packageVersion) = (late.package, late.packageVersion)
            return event
        }
    }

    /// Reads the log of a state folder; empty where there is none.
    public init(directory: String) {
        var reader = EventLogReader(directory: directory)
        let events = reader.next()
        self.init(events, unreadable: reader.unreadable)
    }

    /// The detection that a packet was made of.
    ///
    /// - Parameter name: the packet's id, or its first digits; `last`: the newest.
    /// - Throws: `event-unknown`.
    public func detection(_ name: String) throws(EpitopeError) -> HostEvent {
        let made = events.filter { $0.event == .packetMade }
        let found = name == "last" ? made.suffix(1) : made.filter { !name.isEmpty && $0.packet?.hasPrefix(name.lowercased()) == true }[...]
        let packets = Set(found.compactMap(\.packet))
        guard packets.count == 1, let event = found.first else {
            throw EpitopeError(
                .eventUnknown,
                packets.isEmpty
                    ? "the event log has no packet '\(name.printable)'"
                    : "'\(name.printable)' stands for \(packets.count) packets of the event log",
                remedy: "name a packet by as many of its digits as it takes, or 'last' (epitope host events shows them)")
        }
        return event
    }

    /// The detections that exclusions would have hidden: nothing that is left of their evidence is worth a report.
    ///
    /// - Parameter reportAt: the policy's (``Policy/reportAt``).
    public func hidden(by exclusions: [Exclusion], reportAt: Int) -> [HostEvent] {
        events.filter { event in
            guard event.event == .packetMade else { return false }
            let kinds = (event.evidence ?? []).compactMap(EvidenceKind.init(rawValue:))
            let excluded = Set(exclusions.filter { event.matches($0.subject) }.compactMap(\.evidence))
            guard !excluded.isDisjoint(with: kinds) else { return false }
            return kinds.allSatisfy { excluded.contains($0) || event.points(of: $0) < reportAt }
        }
    }

    /// The last answer of each center that is not one of success: why it refuses this host, or can't be reached. What it said of an
    /// earlier identity of this host is none.
    public var refusals: [String: HostEvent] {
        var last: [String: HostEvent] = [:]
        for event in events {
            guard let destination = event.destination else { continue }
            switch event.event {
            case .stopped, .unreachable: last[destination] = event
            case .sent, .refused, .enrolled, .renewed, .identityChanged, .centersChanged: last[destination] = nil
            default: break
            }
        }
        return last
    }
}

extension HostEvent {
    /// Whether an exclusion's subject is the program, user or container of a detection. A unit, and what a process has mapped, is
    /// in no event.
    func matches(_ subject: Exclusion.Subject) -> Bool {
        switch subject {
        case .executable(let path, let hash): path == executable && (hash == nil || hash == sha256)
        case .package(let name): name == package
        case .user(let name): name == user || userID.map { name == String($0) } == true
        case .container(let id): container?.hasPrefix(id) == true
        case .unit, .library: false
        }
    }
}
