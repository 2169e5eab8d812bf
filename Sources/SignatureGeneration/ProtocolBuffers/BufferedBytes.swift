// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures
public import StreamReassembly

/// What an engine has in a protocol's buffer of one message.
public struct BufferedBytes: Hashable, Sendable {
    public var buffer: ProtocolBuffer
    public var bytes: [UInt8]
    /// Whether they begin where the engine's buffer begins, so that places from its start can be told.
    public var isFromStart: Bool
    /// Whether the stream has them in another form: in chunks, compressed, with percent signs, or as labels.
    public var isTransformed: Bool

    public init(buffer: ProtocolBuffer, bytes: [UInt8], isFromStart: Bool = true, isTransformed: Bool) {
        self.buffer = buffer
        self.bytes = bytes
        self.isFromStart = isFromStart
        self.isTransformed = isTransformed
    }

    /// Whether a match in these bytes is one in the engine's buffer: where a signature says how far from the start it lies, the
    /// start must be the same.
    public func decides(on signature: Signature) -> Bool {
        isFromStart || signature.arrangement == .conjunction || signature.tokens.first?.gap == nil
    }
}

extension CapturedStream {
    /// Calls the body with what an engine has in its buffers of HTTP/1 and DNS of this stream, message by message, until it
    /// returns `false`.
    ///
    /// Decided as Suricata 7.0.10 does with the settings that come with it, and where that depends on settings or on what the
    /// other side sent, less is shown than it sees: nothing of a URI before its question mark (which it changes by the
    /// server's kind), of messages whose head is not of the usual form, of a stream that begins in the middle.
    ///
    /// The memory is that of one body (``BodyDecoding/maxBytes``), the time that of some passes over the stream and what
    /// comes out of compression, which is bounded (``BodyDecoding/Budget``).
    public func eachBuffer(_ body: (BufferedBytes) -> Bool) {
        guard offset == 0, !isContinued, transport == .udp || !isIncomplete else { return }
        if server.port == DNSQueries.port {
            guard direction == .toServer else { return }
            DNSQueries.each(in: bytes, isStream: transport == .tcp, body)
        } else if transport == .tcp {
            HTTPBuffers.each(in: bytes, isRequest: direction == .toServer, body)
        }
    }
}
