// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The bytes that one side of a flow sent: a part of a reassembled TCP stream, or one UDP datagram.
///
/// A long stream comes in parts, each of which begins with the end of the one before it (``overlap``). Where bytes are missing,
/// a part ends, and the next one has no overlap.
public struct CapturedStream: Hashable, Sendable {
    /// The side that sent it.
    public enum Direction: Hashable, Sendable {
        case toServer
        case toClient
    }

    /// Which of the bytes it holds where segments overlap and disagree: which ones the receiver took depends on its system.
    public enum Version: Hashable, Sendable {
        /// Those that came first.
        case earlier
        /// Those that came last.
        case later
        /// Those of one segment alone, whose bytes are in neither of the others.
        case segment
    }

    /// The number of its stream in the capture: the parts and versions of one stream have the same.
    public var number: Int
    public var transport: TransportProtocol
    /// The side that opened the flow, as far as the capture shows.
    public var client: SocketEndpoint
    public var server: SocketEndpoint
    public var direction: Direction
    /// In milliseconds since 1970-01-01T00:00:00Z: the first packet of the stream, and the last one up to here.
    public var firstMilliseconds: Int64
    public var lastMilliseconds: Int64
    public var bytes: [UInt8]
    /// In bytes: the place of its first byte in the stream.
    public var offset: Int
    /// In bytes: how much of its beginning is the end of the part before it.
    public var overlap: Int
    public var version: Version
    /// Whether a part of its stream came before it.
    public var isContinued: Bool
    /// Whether bytes are missing before it; of a datagram: at its end.
    public var isIncomplete: Bool

    public init(
        number: Int = 0, transport: TransportProtocol, client: SocketEndpoint, server: SocketEndpoint, direction: Direction,
        firstMilliseconds: Int64, lastMilliseconds: Int64, bytes: [UInt8], offset: Int = 0, overlap: Int = 0,
        version: Version = .earlier, isContinued: Bool = false, isIncomplete: Bool = false
    ) {
        self.number = number
        self.transport = transport
        self.client = client
        self.server = server
        self.direction = direction
        self.firstMilliseconds = firstMilliseconds
        self.lastMilliseconds = lastMilliseconds
        self.bytes = bytes
        self.offset = offset
        self.overlap = overlap
        self.version = version
        self.isContinued = isContinued
        self.isIncomplete = isIncomplete
    }
}
