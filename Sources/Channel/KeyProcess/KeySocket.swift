// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// The socket between a center and its key process: of UNIX, connected, each message a packet (SOCK_SEQPACKET).
enum KeySocket {
    /// Of a message, in bytes: an order with 64 server names of 253 bytes is 17 KiB.
    static let maxMessageBytes = 64 * 1024
    private static let backlog: Int32 = 16

    /// Makes the socket on which a key process is asked. What lies in its place from an earlier one goes.
    ///
    /// - Returns: a descriptor, close-on-exec.
    static func listen(at path: String) throws(SystemFailure) -> Int32 {
        let socket = try make()
        if let found = try? FileStatus(path: path, followLinks: false) {
            guard found.kind == .socket, unlink(path) == 0 else {
                close(socket)
                throw SystemFailure(EEXIST)
            }
        }
        // Before there is anything in the folder that others could open.
        let before = umask(0o177)
        let isBound = withAddress(of: path) { bind(socket, $0, $1) } == 0
        let failure = errno
        umask(before)
        guard isBound, Glibc.listen(socket, backlog) == 0 else {
            close(socket)
            throw SystemFailure(isBound ? errno : failure)
        }
        return socket
    }

    /// Connects, with limits on how long one side waits for the other.
    static func connect(to path: String, waiting seconds: Int) throws(SystemFailure) -> Int32 {
        let socket = try make()
        var longest = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &longest, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &longest, socklen_t(MemoryLayout<timeval>.size))
        guard withAddress(of: path, { Glibc.connect(socket, $0, $1) }) == 0 else {
            let failure = errno
            close(socket)
            throw SystemFailure(failure)
        }
        return socket
    }

    struct SystemFailure: Error, CustomStringConvertible {
        let number: Int32
        init(_ number: Int32) { self.number = number }
        var description: String { String(cString: strerror(number)) }
    }

    static func send(_ message: [UInt8], over socket: Int32) throws(SystemFailure) {
        while true {
            let sent = Glibc.send(socket, message, message.count, Int32(MSG_NOSIGNAL))
            if sent == message.count { return }
            guard sent < 0, errno == EINTR else { throw SystemFailure(sent < 0 ? errno : EMSGSIZE) }
        }
    }

    /// - Returns: the next message; `nil`: the other side has closed, or sent what is longer than any message.
    static func receive(over socket: Int32) throws(SystemFailure) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: maxMessageBytes)
        while true {
            // The whole length, also of what did not fit.
            let count = recv(socket, &bytes, bytes.count, Int32(MSG_TRUNC))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemFailure(errno) }
            guard (1...bytes.count).contains(count) else { return nil }
            return Array(bytes.prefix(count))
        }
    }

    private static func make() throws(SystemFailure) -> Int32 {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SystemFailure(errno) }
        return socket
    }

    /// Calls with the address of a path. One that is too long for an address is reached by its folder's descriptor.
    private static func withAddress(of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        var bytes = Array(path.utf8)
        var folder: Int32 = -1
        defer { if folder >= 0 { close(folder) } }
        if bytes.count >= room, let slash = path.lastIndex(of: "/") {
            folder = open(String(path[..<slash]), O_DIRECTORY | O_CLOEXEC)
            bytes = Array("/proc/self/fd/\(folder)\(path[slash...])".utf8)
        }
        guard bytes.count < room else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
