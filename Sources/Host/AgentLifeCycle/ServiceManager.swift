// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Notifies the service manager that started this process (sd_notify(3)): datagrams of `NAME=VALUE` lines.
public struct ServiceManager: Sendable {
    /// A message, named as in sd_notify(3).
    public enum Message: Hashable, Sendable {
        case ready
        /// For `systemctl status`; one line.
        case status(String)
        case reloading(monotonicMicroseconds: UInt64)
        case stopping
        case alive

        var lines: String {
            switch self {
            case .ready: "READY=1\n"
            // A line break would start another message.
            case .status(let text): "STATUS=\(String(text.map { $0.isNewline ? " " : $0 }))\n"
            case .reloading(let time): "RELOADING=1\nMONOTONIC_USEC=\(time)\n"
            case .stopping: "STOPPING=1\n"
            case .alive: "WATCHDOG=1\n"
            }
        }
    }

    private let socket: Socket
    private let address: [UInt8]
    /// The watchdog's timeout: the longest time between two ``Message/alive``; `nil`: there is no watchdog.
    public let watchdogSeconds: Double?

    private final class Socket: Sendable {
        let descriptor: Int32

        init?() {
            descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { return nil }
            // A manager that doesn't read must not block the agent.
            var longest = timeval(tv_sec: 2, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &longest, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit { close(descriptor) }
    }

    /// The manager that started this process; `nil`: no manager did, or it expects no notifications.
    public static var current: ServiceManager? {
        ServiceManager(
            socketPath: variable("NOTIFY_SOCKET"), watchdogMicroseconds: variable("WATCHDOG_USEC"),
            watchdogProcess: variable("WATCHDOG_PID"), ownProcess: getpid())
    }

    /// A variable that the manager passed to this process.
    static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    init?(socketPath: String?, watchdogMicroseconds: String?, watchdogProcess: String?, ownProcess: Int32) {
        guard let socketPath, let address = Self.address(socketPath), let socket = Socket() else { return nil }
        self.socket = socket
        self.address = address
        let isForThisProcess = watchdogProcess.map { Int32($0) == ownProcess } ?? true
        watchdogSeconds = watchdogMicroseconds.flatMap { UInt64($0) }.flatMap { isForThisProcess && $0 > 0 ? Double($0) / 1_000_000 : nil }
    }

    /// The path in the form of a socket address: `@` starts an abstract name. `nil`: not a valid path.
    static func address(_ path: String) -> [UInt8]? {
        var bytes = Array(path.utf8)
        guard bytes.count > 1, bytes.count < maxPathBytes else { return nil }
        guard bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@") else { return nil }
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        return bytes
    }

    /// Sends messages. Whether they were sent; a service continues if not.
    @discardableResult
    public func notify(_ messages: Message...) -> Bool {
        send(messages.map(\.lines).joined())
    }

    /// The room for a path in a socket address, the zero byte at its end included.
    private static let maxPathBytes = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    /// Where the path begins in a socket address: behind the family (unix(7)).
    private static let pathOffset = MemoryLayout<sa_family_t>.size

    /// Sends a datagram, with copies of descriptors.
    func send(_ text: String, descriptors: [Int32] = []) -> Bool {
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address) }
        // The length of an abstract name is that of the address; a path ends with a zero byte.
        let length = Self.pathOffset + address.count + (address[0] == 0 ? 0 : 1)
        var bytes = Array(text.utf8)
        var control = Self.control(descriptors)
        let sent = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                withUnsafeMutablePointer(to: &target) { target in
                    var piece = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                    return withUnsafeMutablePointer(to: &piece) { piece in
                        var message = msghdr()
                        message.msg_name = UnsafeMutableRawPointer(target)
                        message.msg_namelen = socklen_t(length)
                        message.msg_iov = piece
                        message.msg_iovlen = 1
                        message.msg_control = control.isEmpty ? nil : control.baseAddress
                        message.msg_controllen = control.count
                        return sendmsg(socket.descriptor, &message, Int32(MSG_NOSIGNAL))
                    }
                }
            }
        }
        return sent == text.utf8.count
    }

    /// A control message that passes descriptors, laid out as in cmsg(3): length, level, type, and the descriptors, padded to whole words.
    private static func control(_ descriptors: [Int32]) -> [UInt8] {
        guard !descriptors.isEmpty else { return [] }
        let size = MemoryLayout<cmsghdr>.size
        let length = size + descriptors.count * MemoryLayout<Int32>.size
        var header = cmsghdr()
        header.cmsg_len = length
        header.cmsg_level = SOL_SOCKET
        header.cmsg_type = Int32(SCM_RIGHTS)
        var control = [UInt8](repeating: 0, count: (length + 7) / 8 * 8)
        control.withUnsafeMutableBytes { room in
            room.storeBytes(of: header, as: cmsghdr.self)
            for (index, descriptor) in descriptors.enumerated() {
                room.storeBytes(of: descriptor, toByteOffset: size + index * MemoryLayout<Int32>.size, as: Int32.self)
            }
        }
        return control
    }

    /// The time that `RELOADING` is sent with.
    public static func monotonicMicroseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}
