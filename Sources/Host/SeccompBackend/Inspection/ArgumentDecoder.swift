// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// Decodes the arguments of a stalled call, as far as they can be read. Used only for calls that are reported.
struct ArgumentDecoder {
    /// How many of an exec's arguments are read, and how many bytes of each.
    static let maxArguments = 32
    static let maxArgumentLength = 256
    /// PATH_MAX of linux/limits.h.
    static let maxPathLength = 4096
    /// The size of `struct sockaddr_storage`.
    static let maxSocketAddressLength = 128

    let call: PendingCall
    let memory: ProcessMemory

    func decode() -> CallArguments {
        // A ring that is made has no socket yet.
        if call.kind == .ioUringEnter { return CallArguments() }
        return switch call.kind.family {
        case .exec: execArguments()
        case .connect, .send, .serve: socketArguments()
        // The process's number differs from call to call, and says nothing to a center.
        case .intrude: CallArguments()
        }
    }

    private func execArguments() -> CallArguments {
        let shift = call.kind == .execveat ? 1 : 0
        guard call.arguments.count >= shift + 2 else { return CallArguments() }
        let pointers = memory.words(
            call.arguments[shift + 1], count: Self.maxArguments, size: call.interface.pointerSize)
        return CallArguments(
            path: memory.text(call.arguments[shift], limit: Self.maxPathLength),
            arguments: pointers.prefix { $0 != 0 }.compactMap { memory.text($0, limit: Self.maxArgumentLength) })
    }

    private func socketArguments() -> CallArguments {
        guard let first = call.arguments.first else { return CallArguments() }
        // Descriptors belong to the process, whose number isn't always the thread's.
        var result = SocketFacts.arguments(process: call.processID, descriptor: Int32(truncatingIfNeeded: first))
        switch call.kind {
        case .connect: result.peer = endpointArgument(at: 1) ?? result.peer
        case .bind: result.local = endpointArgument(at: 1) ?? result.local
        case .sendto, .sendmsg, .sendmmsg:
            let headers = SendBufferReader(call: call, memory: memory).headers()
            if let header = headers.first(where: { $0.nameAddress != 0 }) {
                result.peer = endpoint(at: header.nameAddress, length: header.nameLength) ?? result.peer
            }
            result.payloadLength = headers.lazy.flatMap(\.pieces).reduce(0) { total, piece in
                let (sum, overflow) = total.addingReportingOverflow(piece.length)
                return overflow ? .max : sum
            }
        default: break
        }
        return result
    }

    /// The socket address whose pointer and length are the arguments at `index` and the next.
    private func endpointArgument(at index: Int) -> SocketEndpoint? {
        guard call.arguments.count > index + 1 else { return nil }
        return endpoint(
            at: call.arguments[index], length: Int(UInt32(truncatingIfNeeded: call.arguments[index + 1])))
    }

    private func endpoint(at address: UInt64, length: Int) -> SocketEndpoint? {
        SocketAddress.endpoint(memory.read(address, min(length, Self.maxSocketAddressLength)))
    }
}
