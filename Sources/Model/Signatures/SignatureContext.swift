// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Where on the wire a signature is sought: the protocol, ports and direction that the evidence speaks for.
public struct SignatureContext: Hashable, Sendable, Codable {
    /// Which side of a flow the attack came from.
    public enum Direction: String, Hashable, Sendable, Codable {
        /// Towards the ports that the attacked process listened on.
        case toService = "to-service"
        /// From the ports that the attacked process was connected to.
        case fromPeer = "from-peer"
        /// Nothing is known.
        case any
    }

    /// `nil`: any IP protocol.
    public var transport: TransportProtocol?
    /// Sorted, without repetition, at most 16; empty: any port.
    public var ports: [UInt16]
    public var direction: Direction

    public init(transport: TransportProtocol?, ports: [UInt16], direction: Direction) {
        self.transport = transport
        self.ports = ports
        self.direction = direction
    }

    /// Nothing is known of how the attack came.
    public static let any = SignatureContext(transport: nil, ports: [], direction: .any)

    /// The narrowest context that a packet's parameters speak for: the sockets that the attacked process listened
    /// on, else those it was connected to. A process that used both protocols, or more than 16 ports, gives no
    /// narrower context than what they have in common.
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
        // A rule names its ports only together with one protocol.
        guard protocols.count == 1, let transport = protocols.first, distinct.count <= 16 else {
            self = .any
            return
        }
        self.init(transport: transport, ports: distinct, direction: direction)
    }
}

extension SignatureContext {
    /// The most ports that a context names.
    public static let mostPorts = 16

    /// The narrowest context that holds for two packets of one cluster: the union of their ports where transport and
    /// direction agree, else any. More than ``mostPorts`` ports together become any port.
    public func merged(with other: SignatureContext) -> SignatureContext {
        guard let transport, transport == other.transport, direction == other.direction else { return .any }
        // No ports means any port: the union with any is any.
        guard !ports.isEmpty, !other.ports.isEmpty else {
            return SignatureContext(transport: transport, ports: [], direction: direction)
        }
        let union = Set(ports).union(other.ports).sorted()
        return SignatureContext(
            transport: transport, ports: union.count <= Self.mostPorts ? union : [], direction: direction)
    }

    /// Whether a rule in this context is also sought wherever a rule in the other would be.
    public func covers(_ other: SignatureContext) -> Bool {
        merged(with: other) == self
    }
}
