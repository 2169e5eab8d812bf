// SPDX-License-Identifier: Apache-2.0

/// What a send-like call was about to send: the messages, each gathered from pieces of the caller's memory.
public struct SendBuffer: Hashable, Sendable {
    /// A piece of the caller's memory. `bytes` may be shorter than `length`: what was not read isn't searched.
    public struct Piece: Hashable, Sendable {
        public var address: UInt64
        public var length: UInt64
        public var bytes: [UInt8]

        public init(address: UInt64, length: UInt64, bytes: [UInt8]) {
            self.address = address
            self.length = length
            self.bytes = bytes
        }

        /// Whether an address lies in the piece; right after its last byte counts, since a caller's address is the
        /// one after the calling instruction.
        func holds(_ address: UInt64) -> Bool {
            length > 0 && address > self.address && address - self.address <= length
        }
    }

    /// Each message as its pieces, in the order in which they are sent.
    public var messages: [[Piece]]

    public init(messages: [[Piece]]) {
        self.messages = messages
    }

    /// The total length in bytes, as the call states it.
    public var length: UInt64 {
        messages.joined().reduce(0) { total, piece in
            let (sum, overflow) = total.addingReportingOverflow(piece.length)
            return overflow ? .max : sum
        }
    }

    /// The first form of send blocking: the caller lies in what it sends.
    public func contains(callersAddress: UInt64) -> Bool {
        messages.joined().contains { $0.holds(callersAddress) }
    }

    /// The second form: the caller's code is copied in what it sends. Pieces of one message are searched as one.
    public func contains(code: [UInt8]) -> Bool {
        guard !code.isEmpty else { return false }
        return messages.contains { message in
            Self.find(code, in: message.count == 1 ? message[0].bytes : message.flatMap(\.bytes))
        }
    }

    private static func find(_ needle: [UInt8], in hay: [UInt8]) -> Bool {
        guard hay.count >= needle.count else { return false }
        return hay.withUnsafeBufferPointer { hay in
            needle.withUnsafeBufferPointer { needle in
                var start = 0
                while start <= hay.count - needle.count {
                    if hay[start] == needle[0], (1..<needle.count).allSatisfy({ hay[start + $0] == needle[$0] }) {
                        return true
                    }
                    start += 1
                }
                return false
            }
        }
    }
}
