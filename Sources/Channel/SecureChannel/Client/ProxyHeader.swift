// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The header by which a relay tells a center whose connection it passes on: version 2 of the PROXY protocol (HAProxy's
/// `proxy-protocol.txt`). It stands before the connection's first byte, and nothing proves it: a center reads it from the relays alone
/// that its settings name.
public struct ProxyHeader: Hashable, Sendable {
    /// An end of a connection.
    public struct End: Hashable, Sendable {
        public var address: IPAddress
        public var port: UInt16

        public init(address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// Where the connection came from; `nil`: it is the relay's own, as to see whether the center answers.
    public var source: End?
    /// Where it came to at the relay.
    public var destination: End?

    public init(source: End?, destination: End?) {
        self.source = source
        self.destination = destination
    }

    /// What a connection's first bytes are.
    public enum Reading: Hashable, Sendable {
        /// The header goes on.
        case incomplete
        /// No header, or one that isn't understood.
        case malformed
        /// The header, and how many bytes it has.
        case header(ProxyHeader, length: Int)
    }

    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    /// With addresses and further fields, in bytes; other relays than Epitope's may add some.
    public static let maxLength = 536
    private static let fixedLength = 16
    private static let (local, proxied): (UInt8, UInt8) = (0x20, 0x21)
    private static let (tcp4, tcp6): (UInt8, UInt8) = (0x11, 0x21)

    /// The header's bytes. Ends of both kinds of addresses are told as IPv6.
    public var encoded: [UInt8] {
        guard let source, let destination else { return Self.signature + [Self.local, 0, 0, 0] }
        let ends = [source, destination].map { $0.address.unmapped.bytes }
        let isFour = ends.allSatisfy { $0.count == 4 }
        func address(_ bytes: [UInt8]) -> [UInt8] {
            isFour || bytes.count == 16 ? bytes : [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + bytes
        }
        func port(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 0xff)] }
        let body = ends.flatMap(address) + port(source.port) + port(destination.port)
        return Self.signature + [Self.proxied, isFour ? Self.tcp4 : Self.tcp6, 0, UInt8(body.count)] + body
    }

    /// Reads a header.
    ///
    /// - Parameter bytes: what came so far, at most a little more than ``maxLength`` of it is looked at.
    public static func read(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
        let bytes = Array(bytes.prefix(maxLength))
        guard bytes.starts(with: signature.prefix(bytes.count)) else { return .malformed }
        guard bytes.count >= fixedLength else { return .incomplete }
        let length = fixedLength + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard length <= maxLength, bytes[12] == local || bytes[12] == proxied else { return .malformed }
        guard bytes.count >= length else { return .incomplete }
        if bytes[12] == local { return .header(ProxyHeader(source: nil, destination: nil), length: length) }
        let size = bytes[13] == tcp4 ? 4 : bytes[13] == tcp6 ? 16 : 0
        guard size > 0, length >= fixedLength + 2 * size + 4 else { return .malformed }
        func end(_ place: Int, _ port: Int) -> End? {
            IPAddress(bytes: bytes[place..<place + size]).map {
                End(address: $0.unmapped, port: UInt16(bytes[port]) << 8 | UInt16(bytes[port + 1]))
            }
        }
        let ports = fixedLength + 2 * size
        guard let source = end(fixedLength, ports), let destination = end(fixedLength + size, ports + 2),
            source.address.bytes.contains(where: { $0 != 0 })
        else { return .malformed }
        return .header(ProxyHeader(source: source, destination: destination), length: length)
    }
}
