// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import ProcessInspection

/// Reads what a send-like call is about to send, and the receiver that it names.
struct SendBufferReader {
    /// How many bytes are read of a call's whole buffer: many times the code that is extracted.
    static let maxBytes = 1 << 20
    /// The kernel's own limits (UIO_MAXIOV) on messages of a call and pieces of a message.
    static let maxMessages: UInt64 = 1024
    static let maxPieces: UInt64 = 1024
    /// The size of `struct mmsghdr`: a message header, then the length that the kernel fills in, padded to a pointer.
    private static let mmsghdrSize: (x86_64: UInt64, i386: UInt64) = (64, 32)

    let call: PendingCall
    let memory: ProcessMemory

    /// The addresses of a message and of its receiver's socket address: `struct msghdr`, or the arguments of `sendto`.
    struct Header {
        var nameAddress: UInt64 = 0
        var nameLength: Int = 0
        var pieces: [(address: UInt64, length: UInt64)] = []
    }

    func sendBuffer() -> SendBuffer {
        var rest = Self.maxBytes
        let messages = headers().map { header in
            header.pieces.map { piece in
                let bytes = memory.read(piece.address, Int(min(piece.length, UInt64(rest))))
                rest -= bytes.count
                return SendBuffer.Piece(address: piece.address, length: piece.length, bytes: bytes)
            }
        }
        return SendBuffer(messages: messages)
    }

    func headers() -> [Header] {
        let arguments = call.arguments
        guard arguments.count >= 3 else { return [] }
        switch call.kind {
        case .sendto:
            var header = Header(pieces: [(arguments[1], arguments[2])])
            if arguments.count >= 6 {
                header.nameAddress = arguments[4]
                header.nameLength = Int(UInt32(truncatingIfNeeded: arguments[5]))
            }
            return [header]
        case .sendmsg:
            return header(at: arguments[1]).map { [$0] } ?? []
        case .sendmmsg:
            let stride = call.interface == .x86_64 ? Self.mmsghdrSize.x86_64 : Self.mmsghdrSize.i386
            let count = min(UInt64(UInt32(truncatingIfNeeded: arguments[2])), Self.maxMessages)
            return (0..<count).compactMap { header(at: arguments[1] &+ $0 * stride) }
        default:
            return []
        }
    }

    /// `struct msghdr`: name, its length (32 bits, padded), pieces, their number.
    private func header(at address: UInt64) -> Header? {
        let size = call.interface.pointerSize
        let words = memory.words(address, count: 4, size: size)
        guard words.count == 4 else { return nil }
        var header = Header(nameAddress: words[0], nameLength: Int(UInt32(truncatingIfNeeded: words[1])))
        let pieces = memory.words(words[2], count: Int(min(words[3], Self.maxPieces)) * 2, size: size)
        header.pieces = (0..<pieces.count / 2).map { (pieces[$0 * 2], pieces[$0 * 2 + 1]) }
        return header
    }
}
