// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A TCP socket on 127.0.0.1, at a port that was free. It is closed with its value.
public struct LoopbackSocket: ~Copyable {
    public let port: UInt16
    private let descriptor: Int32

    /// - Parameter isListening: else nobody who connects is answered.
    public init(isListening: Bool = true) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        guard isBound, !isListening || listen(descriptor, 1) == 0 else { throw NoSocket(number: errno) }
    }

    struct NoSocket: Error, CustomStringConvertible {
        var number: Int32
        var description: String { "a socket on loopback could not be had: \(String(cString: strerror(number)))" }
    }

    deinit { close(descriptor) }

    /// A port on which nothing listens.
    public static func freePort() throws -> UInt16 { try LoopbackSocket(isListening: false).port }
}
