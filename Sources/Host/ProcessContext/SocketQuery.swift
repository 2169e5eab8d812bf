// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import EpitopeModel
import Foundation

/// Queries the sockets of another process themselves, through copies of its descriptors: some microseconds each, while
/// the kernel takes up to ten milliseconds to print its table of TCP connections, however few there are.
struct SocketQuery {
    /// A process with more sockets than this is described by its first ones.
    static let maxSockets = 256

    private(set) var listening: [ProcessParameters.BoundSocket] = []
    private(set) var connected: [ProcessParameters.ConnectedSocket] = []

    /// `nil` where the kernel refuses: before Linux 5.6, or without the right to trace the process.
    init?(processID: Int32, descriptors: [Int32]) {
        let process = epitope_process_handle(processID)
        guard process >= 0 else { return nil }
        defer { close(process) }
        for descriptor in descriptors.prefix(Self.maxSockets) {
            let copy = epitope_pidfd_getfd(process, descriptor)
            if copy < 0 {
                // EBADF: it was closed since. Any other reason applies to all descriptors.
                if copy == -EBADF { continue }
                return nil
            }
            defer { close(copy) }
            add(copy)
        }
    }

    private mutating func add(_ socket: Int32) {
        let transport: TransportProtocol
        switch Self.option(socket, SO_PROTOCOL) {
        case Int32(IPPROTO_TCP): transport = .tcp
        case Int32(IPPROTO_UDP): transport = .udp
        default: return
        }
        guard let local = Self.endpoint(socket, getsockname), local.port != 0 else { return }
        if Self.option(socket, SO_ACCEPTCONN) == 1 {
            listening.append(.init(transport: transport, local: local))
        } else if let peer = Self.endpoint(socket, getpeername), peer.port != 0 {
            connected.append(.init(transport: transport, local: local, peer: peer))
        } else if transport == .udp {
            listening.append(.init(transport: transport, local: local))
        }
    }

    private static func option(_ socket: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }

    private typealias NameQuery = (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32

    /// `nil` for an address of another family than IPv4 and IPv6.
    private static func endpoint(_ socket: Int32, _ query: NameQuery) -> SocketEndpoint? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { query(socket, $0, &size) }
        }
        guard status == 0 else { return nil }
        let bytes = withUnsafeBytes(of: &storage) { Array($0.prefix(28)) }
        let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        // In sockaddr_in the address stands at 4, in sockaddr_in6 behind the flow label, at 8.
        let address: IPAddress?
        switch Int32(storage.ss_family) {
        case AF_INET: address = IPAddress(bytes: bytes[4..<8])
        case AF_INET6: address = IPAddress(bytes: bytes[8..<24])
        default: return nil
        }
        return address.map { SocketEndpoint(address: $0.description, port: port) }
    }
}
