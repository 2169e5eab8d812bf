// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The traffic that a signature is searched in: the protocol, ports and direction by which the attack came. A process that
/// takes part in several kinds of traffic has several: one rule is made for each.
public struct SignatureContext: Hashable, Sendable {
    /// Which side of a flow the attack came from.
    public enum Direction: String, Hashable, Sendable, Codable {
        /// Towards the ports that the attacked process served.
        case toService = "to-service"
        /// From the ports that the attacked process was connected to.
        case fromPeer = "from-peer"
        /// Unknown.
        case any
    }

    /// `nil` for any IP protocol.
    public var transport: TransportProtocol?
    /// Sorted, without repetition, at most ``maxPorts``; empty for any port.
    public var ports: [UInt16]
    public var direction: Direction
    /// The part of a protocol's messages that is searched; `nil` for the stream or datagram as it is.
    public var buffer: ProtocolBuffer?
    /// Other traffic that is searched as well, each with a transport and without further traffic of its own.
    public private(set) var further: [SignatureContext] = []

    public init(transport: TransportProtocol?, ports: [UInt16], direction: Direction, buffer: ProtocolBuffer? = nil) {
        self.transport = transport
        self.ports = ports
        self.direction = direction
        self.buffer = buffer
    }

    /// All traffic: it is not known how the attack came.
    public static let any = SignatureContext(transport: nil, ports: [], direction: .any)

    /// The parts, each with one transport, direction, buffer and list of ports: a rule is made for each.
    public var parts: [SignatureContext] {
        [SignatureContext(transport: transport, ports: ports, direction: direction, buffer: buffer)] + further
    }
}

extension SignatureContext {
    /// The maximum number of ports of one part.
    public static let maxPorts = 16
    /// The maximum number of parts.
    public static let maxParts = 8

    /// The traffic of all of these contexts, in as few parts as it takes, in a fixed order.
    ///
    /// If any of them is ``any``, that is the result; it is, too, where there are none. Where more than ``maxParts`` parts
    /// would be needed, the transport and direction with the most ports become any port of that transport and direction. Traffic that is
    /// searched in a buffer is apart from that which is searched as it is.
    public init(uniting contexts: [SignatureContext]) {
        let parts = contexts.flatMap(\.parts)
        guard !parts.isEmpty, parts.allSatisfy({ $0.transport != nil }) else {
            self = .any
            return
        }
        var united = Dictionary(grouping: parts, by: Kind.init).map { kind, parts in
            // No ports means any port: the union with any is any.
            let ports = parts.contains { $0.ports.isEmpty } ? [] : Set(parts.flatMap(\.ports)).sorted()
            return (kind: kind, ports: ports)
        }.sorted { $0.kind < $1.kind }
        // What applies to both directions and all ports leaves nothing over.
        let whole = Set(united.filter { $0.kind.direction == .any && $0.ports.isEmpty }.map(\.kind))
        united.removeAll { $0.kind.direction != .any && whole.contains($0.kind.inBothDirections) }
        func count(_ ports: [UInt16]) -> Int { max(1, (ports.count + Self.maxPorts - 1) / Self.maxPorts) }
        while united.reduce(0, { $0 + count($1.ports) }) > Self.maxParts,
            let most = united.indices.max(by: { united[$0].ports.count < united[$1].ports.count }), !united[most].ports.isEmpty
        {
            united[most].ports = []
        }
        let result = united.flatMap { item in
            (0..<count(item.ports)).map { number in
                let ports = Array(item.ports.dropFirst(number * Self.maxPorts).prefix(Self.maxPorts))
                return SignatureContext(
                    transport: item.kind.transport, ports: ports, direction: item.kind.direction, buffer: item.kind.buffer)
            }
        }
        self = result[0]
        further = Array(result.dropFirst())
    }

    /// What one part is about, ports aside.
    private struct Kind: Hashable, Comparable {
        var transport: TransportProtocol?
        var direction: Direction
        var buffer: ProtocolBuffer?

        init(_ part: SignatureContext) { (transport, direction, buffer) = (part.transport, part.direction, part.buffer) }

        var inBothDirections: Kind {
            var kind = self
            kind.direction = .any
            return kind
        }

        static func < (one: Self, two: Self) -> Bool {
            (one.transport?.rawValue ?? "", one.rank, one.buffer?.rawValue ?? "")
                < (two.transport?.rawValue ?? "", two.rank, two.buffer?.rawValue ?? "")
        }

        private var rank: Int {
            switch direction {
            case .toService: 0
            case .fromPeer: 1
            case .any: 2
            }
        }
    }

    /// The narrowest context for two packets of one cluster.
    public func merged(with other: SignatureContext) -> SignatureContext {
        SignatureContext(uniting: [self, other])
    }

    /// Whether a rule in this context applies to all traffic that a rule in the other context applies to.
    public func covers(_ other: SignatureContext) -> Bool {
        merged(with: other) == SignatureContext(uniting: [self])
    }
}

extension SignatureContext: Codable {
    private enum CodingKeys: String, CodingKey {
        case transport, ports, direction, buffer, further
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        transport = try values.decodeIfPresent(TransportProtocol.self, forKey: .transport)
        ports = try values.decode([UInt16].self, forKey: .ports)
        direction = try values.decode(Direction.self, forKey: .direction)
        buffer = try values.decodeIfPresent(ProtocolBuffer.self, forKey: .buffer)
        further = try values.decodeIfPresent([SignatureContext].self, forKey: .further) ?? []
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encodeIfPresent(transport, forKey: .transport)
        try values.encode(ports, forKey: .ports)
        try values.encode(direction, forKey: .direction)
        try values.encodeIfPresent(buffer, forKey: .buffer)
        if !further.isEmpty { try values.encode(further, forKey: .further) }
    }
}
