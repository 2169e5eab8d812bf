import Crypto
public import EpitopeModel

/// What identifies an attack on the wire: tokens in order, with bounds on the gaps between them, in a context.
public struct Signature: Hashable, Sendable, Codable {
    /// A run of bytes, and how far behind the token before it (or the start of the data) it may lie.
    public struct Token: Hashable, Sendable, Codable {
        public var bytes: [UInt8]
        /// Bounds on the number of bytes between the end of the token before and this one; `nil`: anywhere after.
        public var gap: ClosedRange<Int>?

        public init(bytes: [UInt8], gap: ClosedRange<Int>? = nil) {
            self.bytes = bytes
            self.gap = gap
        }
    }

    /// At least one token, in the order in which they must occur.
    public var tokens: [Token]
    public var context: SignatureContext

    public init(tokens: [Token], context: SignatureContext) {
        self.tokens = tokens
        self.context = context
    }

    /// Identity that does not depend on who made the signature or when: SHA-256 over its canonical form, the first
    /// 16 bytes as hexadecimal digits. The context is left out, so that sites that saw the same code at different
    /// ports speak of the same signature.
    public var id: String {
        var hash = SHA256()
        for token in tokens {
            hash.update(data: Array("\(token.gap.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "*"):".utf8))
            hash.update(data: Array("\(token.bytes.count):".utf8))
            hash.update(data: token.bytes)
        }
        return Hex.encode(hash.finalize().prefix(16))
    }

    /// Whether the tokens occur in the data, in order and within their gaps. The context is not looked at.
    public func matches(_ data: [UInt8]) -> Bool {
        matches(data[...], tokens: tokens[...], from: 0)
    }

    private func matches(_ data: ArraySlice<UInt8>, tokens: ArraySlice<Token>, from position: Int) -> Bool {
        guard let token = tokens.first else { return true }
        let bounds = token.gap ?? 0...data.endIndex
        let first = position + bounds.lowerBound
        let last = min(bounds.upperBound.addingReportingOverflow(position).partialValue, data.endIndex - token.bytes.count)
        guard first <= last else { return false }
        for start in first...last where data[start..<start + token.bytes.count].elementsEqual(token.bytes) {
            if matches(data, tokens: tokens.dropFirst(), from: start + token.bytes.count) { return true }
            // Without an upper bound on any later gap, the earliest match leaves the most room: trying on is in vain.
            if tokens.dropFirst().allSatisfy({ $0.gap == nil }) { return false }
        }
        return false
    }
}

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
