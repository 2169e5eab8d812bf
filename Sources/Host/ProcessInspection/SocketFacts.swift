// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
public import EpitopeModel
import Glibc

/// Properties of a process's socket, queried through a duplicate of its descriptor.
public enum SocketFacts {
    /// Transport, local and remote side; all absent if the descriptor isn't a socket, or the process has ended.
    public static func arguments(process: Int32, descriptor: Int32) -> CallArguments {
        var result = CallArguments()
        var socket = epitope_socket()
        guard epitope_read_socket(process, descriptor, &socket) == 0 else { return result }
        result.transport = transport(domain: socket.domain, type: socket.type)
        result.local = withUnsafeBytes(of: &socket.local) { SocketAddress.endpoint($0.prefix(Int(socket.local_length))) }
        result.peer = withUnsafeBytes(of: &socket.peer) { SocketAddress.endpoint($0.prefix(Int(socket.peer_length))) }
        return result
    }

    /// TCP and UDP over either version of IP; anything else is other.
    public static func transport(domain: Int32, type: Int32) -> TransportProtocol {
        guard domain == AF_INET || domain == AF_INET6 else { return .other }
        return switch type & 0xF {
        case 1: .tcp
        case 2: .udp
        default: .other
        }
    }
}
