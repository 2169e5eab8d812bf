// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// A runtime's end of a connection.
final class Connection {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8.prefix(107))) }
        let descriptor = descriptor
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw NeverCame(what: "a connection to \(path)") }
    }

    deinit { close(descriptor) }

    /// Sends bytes with descriptors; `false` when the other side has gone.
    func send(_ bytes: [UInt8], descriptors: [Int32] = []) -> Bool {
        // struct cmsghdr: the length of all, SOL_SOCKET, SCM_RIGHTS.
        var control: [UInt8] = []
        withUnsafeBytes(of: 16 + descriptors.count * 4) { control += $0 }
        withUnsafeBytes(of: SOL_SOCKET) { control += $0 }
        withUnsafeBytes(of: Int32(1)) { control += $0 }
        descriptors.withUnsafeBytes { control += $0 }
        control += [UInt8](repeating: 0, count: control.count % 8)
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var piece = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &piece) { piece in
                    var message = msghdr()
                    message.msg_iov = piece
                    message.msg_iovlen = 1
                    if !descriptors.isEmpty {
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                    }
                    return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL)) >= 0
                }
            }
        }
    }
}
