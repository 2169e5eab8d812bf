// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// What becomes of an update that is proven, by itself.
public enum DeliveryMode: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    /// It goes out.
    case automatic
    /// It waits for a person.
    case approve
    /// It does not go out, and is shown.
    case observe

    /// The stricter one is the greater.
    public static func < (one: DeliveryMode, other: DeliveryMode) -> Bool { one.strictness < other.strictness }

    private var strictness: Int {
        switch self {
        case .automatic: 0
        case .approve: 1
        case .observe: 2
        }
    }
}

/// A mode for some updates: `port 443: approve`, `port 53/udp: observe`, `network 192.0.2.0/24: approve`, `grade reported: approve`.
public struct ModeException: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Which updates.
    public enum Condition: Hashable, Sendable {
        /// Those of attacks that hosts in that network reported.
        case network(IPNetwork)
        /// Those whose rule is for that port.
        case port(UInt16, TransportProtocol?)
        /// Those that rest on so much, and no more.
        case grade(EvidenceGrade)
    }

    public var condition: Condition
    public var mode: DeliveryMode

    /// - Returns: `nil` for a text that is none.
    public init?(_ text: String) {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        // An IPv6 network has colons, too.
        guard halves.count >= 2, let last = halves.last, last.hasPrefix(" "), let mode = DeliveryMode(rawValue: String(last.dropFirst()))
        else { return nil }
        let words = halves.dropLast().joined(separator: ":").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2 else { return nil }
        let condition: Condition? =
            switch words[0] {
            case "network": IPNetwork(words[1]).map(Condition.network)
            case "port": Self.port(words[1])
            case "grade": EvidenceGrade(rawValue: String(words[1])).map(Condition.grade)
            default: nil
            }
        guard let condition else { return nil }
        (self.condition, self.mode) = (condition, mode)
    }

    private static func port(_ text: Substring) -> Condition? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let port = UInt16(parts[0]), port > 0 else { return nil }
        guard parts.count == 2 else { return .port(port, nil) }
        return TransportProtocol(rawValue: String(parts[1])).map { .port(port, $0) }
    }

    public var description: String {
        let what =
            switch condition {
            case .network(let network): "network \(network)"
            case .port(let port, let transport): "port \(port)" + (transport.map { "/\($0.rawValue)" } ?? "")
            case .grade(let grade): "grade \(grade.rawValue)"
            }
        return "\(what): \(mode.rawValue)"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let known = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no exception from the mode: \(text)")
        }
        self = known
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// An exception that is stricter than the site's mode applies to what it is about in part, too, such as a rule for any port; a laxer one
    /// only to what it is about as a whole.
    func applies(to subject: ModePolicy.Subject, beside site: DeliveryMode) -> Bool {
        let isStricter = mode > site
        switch condition {
        case .network(let network):
            let isIn = { (address: IPAddress) in network.contains(address.unmapped) }
            return isStricter ? subject.addresses.contains(where: isIn) : !subject.addresses.isEmpty && subject.addresses.allSatisfy(isIn)
        case .port(let port, let transport):
            guard isStricter else {
                return subject.context.parts.allSatisfy { part in
                    part.ports == [port] && (transport == nil || part.transport == transport)
                }
            }
            return subject.context.parts.contains { part in
                (part.ports.isEmpty || part.ports.contains(port))
                    && (transport == nil || part.transport == nil || part.transport == transport)
            }
        case .grade(let grade): return subject.grade == grade
        }
    }
}

/// The site's mode, and the exceptions from it.
public struct ModePolicy: Hashable, Sendable, Codable {
    /// An update, as far as its mode depends on it.
    public struct Subject: Sendable {
        var context: SignatureContext
        var grade: EvidenceGrade?
        var addresses: [IPAddress]

        /// - Parameters:
        ///   - grade: `nil`: it isn't known what it rests on, as of another center's update.
        ///   - addresses: of the hosts that reported it; empty: they aren't known.
        public init(context: SignatureContext, grade: EvidenceGrade?, addresses: [IPAddress]) {
            self.context = context
            self.grade = grade
            self.addresses = addresses
        }
    }

    public var mode: DeliveryMode
    public var exceptions: [ModeException]

    public init(mode: DeliveryMode = .automatic, exceptions: [ModeException] = []) {
        self.mode = mode
        self.exceptions = exceptions
    }

    /// Whether everything goes out, whatever it is.
    public var isAutomatic: Bool { mode == .automatic && exceptions.allSatisfy { $0.mode == .automatic } }

    /// Whether where an attack was reported from matters.
    public var isByNetwork: Bool {
        exceptions.contains { if case .network = $0.condition { true } else { false } }
    }

    /// The mode of an update: the strictest of the exceptions that apply to it; the site's where none does.
    ///
    /// - Returns: also why, for a person.
    public func mode(of subject: Subject) -> (mode: DeliveryMode, reason: String) {
        if let exception = exceptions.filter({ $0.applies(to: subject, beside: mode) }).max(by: { $0.mode < $1.mode }) {
            return (exception.mode, "by the setting modes: \(exception)")
        }
        return (mode, "by the setting mode: \(mode.rawValue)")
    }
}
