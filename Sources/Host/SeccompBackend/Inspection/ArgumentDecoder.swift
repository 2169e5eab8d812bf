// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// Decodes the arguments of a stalled call, as far as they can be read. Only done for a call that is reported.
struct ArgumentDecoder {
    static let mostArguments = 32
    static let longestArgument = 256

    let call: PendingCall
    let memory: ProcessMemory

    func decode() -> CallArguments {
        switch call.call.family {
        case .exec: execArguments()
        case .connect, .send, .serve: socketArguments()
        }
    }

    private func execArguments() -> CallArguments {
        let shift = call.call == .execveat ? 1 : 0
        guard call.arguments.count >= shift + 2 else { return CallArguments() }
        let pointers = memory.words(
            call.arguments[shift + 1], count: Self.mostArguments, size: call.interface.pointerSize)
        return CallArguments(
            path: memory.text(call.arguments[shift], limit: 4096),
            arguments: pointers.prefix { $0 != 0 }.compactMap { memory.text($0, limit: Self.longestArgument) })
    }

    private func socketArguments() -> CallArguments {
        guard let first = call.arguments.first else { return CallArguments() }
        var result = SocketFacts.arguments(process: processID, descriptor: Int32(truncatingIfNeeded: first))
        switch call.call {
        case .connect: result.peer = named(at: 1) ?? result.peer
        case .bind: result.local = named(at: 1) ?? result.local
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

    /// Descriptors belong to the process, which a thread's id is not always.
    private var processID: pid_t {
        ProcFS.status(of: call.thread, "Tgid") ?? call.thread
    }

    /// The socket address whose pointer and length are the arguments at `index` and the next.
    private func named(at index: Int) -> SocketEndpoint? {
        guard call.arguments.count > index + 1 else { return nil }
        return endpoint(
            at: call.arguments[index], length: Int(UInt32(truncatingIfNeeded: call.arguments[index + 1])))
    }

    private func endpoint(at address: UInt64, length: Int) -> SocketEndpoint? {
        SocketAddress.endpoint(memory.read(address, min(length, 128)))
    }
}
