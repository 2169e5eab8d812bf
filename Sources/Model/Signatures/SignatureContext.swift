// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The traffic that a signature is searched in: the protocol, ports and direction by which the attack came.
public struct SignatureContext: Hashable, Sendable, Codable {
    /// Which side of a flow the attack came from.
    public enum Direction: String, Hashable, Sendable, Codable {
        /// Towards the ports that the attacked process listened on.
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

    public init(transport: TransportProtocol?, ports: [UInt16], direction: Direction) {
        self.transport = transport
        self.ports = ports
        self.direction = direction
    }

    /// All traffic: it is not known how the attack came.
    public static let any = SignatureContext(transport: nil, ports: [], direction: .any)

    /// The narrowest context for a packet's parameters: the sockets that the attacked process listened on, or if there were
    /// none, those it was connected to. ``any`` for a process that used both protocols, or more than ``maxPorts`` ports.
    public init(_ process: ProcessParameters) {
        let reachable = process.listening.filter { $0.transport != .other && $0.local.port != 0 }
        if !reachable.isEmpty {
            self.init(transports: reachable.map(\.transport), ports: reachable.map(\.local.port), direction: .toService)
            return
        }
        let peers = process.connected.filter { $0.transport != .other && $0.peer.port != 0 }
        if !peers.isEmpty {
            self.init(transports: peers.map(\.transport), ports: peers.map(\.peer.port), direction: .fromPeer)
            return
        }
        self = .any
    }

    private init(transports: [TransportProtocol], ports: [UInt16], direction: Direction) {
        let protocols = Set(transports)
        let distinct = Set(ports).sorted()
        // A rule can name ports only for a single protocol.
        guard protocols.count == 1, let transport = protocols.first, distinct.count <= Self.maxPorts else {
            self = .any
            return
        }
        self.init(transport: transport, ports: distinct, direction: direction)
    }
}

extension SignatureContext {
    /// The maximum number of ports of a context.
    public static let maxPorts = 16

    /// The narrowest context for two packets of one cluster: the union of their ports if transport and direction agree,
    /// otherwise ``any``. More than ``maxPorts`` ports become any port.
    public func merged(with other: SignatureContext) -> SignatureContext {
        guard let transport, transport == other.transport, direction == other.direction else { return .any }
        // No ports means any port: the union with any is any.
        guard !ports.isEmpty, !other.ports.isEmpty else {
            return SignatureContext(transport: transport, ports: [], direction: direction)
        }
        let union = Set(ports).union(other.ports).sorted()
        return SignatureContext(
            transport: transport, ports: union.count <= Self.maxPorts ? union : [], direction: direction)
    }

    /// Whether a rule in this context applies to all traffic that a rule in the other context applies to.
    public func covers(_ other: SignatureContext) -> Bool {
        merged(with: other) == self
    }
}
