// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The bytes that one side of a flow sent: a reassembled TCP stream, or one UDP datagram.
public struct CapturedStream: Hashable, Sendable {
    /// The side that sent it.
    public enum Direction: Hashable, Sendable {
        case toServer
        case toClient
    }

    public var transport: TransportProtocol
    /// The side that opened the flow, as far as the capture shows.
    public var client: SocketEndpoint
    public var server: SocketEndpoint
    public var direction: Direction
    /// In milliseconds since 1970-01-01T00:00:00Z: the first and the last packet of it.
    public var firstMilliseconds: Int64
    public var lastMilliseconds: Int64
    public var bytes: [UInt8]
    /// Whether bytes are missing: not captured, or beyond ``ReassemblyBounds/stream``.
    public var isIncomplete: Bool
    /// How many bytes are missing at its end because they lie beyond ``ReassemblyBounds/stream``.
    public var cutBytes: Int

    public init(
        transport: TransportProtocol, client: SocketEndpoint, server: SocketEndpoint, direction: Direction,
        firstMilliseconds: Int64, lastMilliseconds: Int64, bytes: [UInt8], isIncomplete: Bool = false, cutBytes: Int = 0
    ) {
        self.transport = transport
        self.client = client
        self.server = server
        self.direction = direction
        self.firstMilliseconds = firstMilliseconds
        self.lastMilliseconds = lastMilliseconds
        self.bytes = bytes
        self.isIncomplete = isIncomplete
        self.cutBytes = cutBytes
    }
}
