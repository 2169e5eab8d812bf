// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// A connection to Suricata's command socket, for one thread. Every wait has a deadline.
final class CommandSocket {
    private let descriptor: Int32
    private let path: String
    private var received: [UInt8] = []
    /// A list of 30,000 failed rules is some 10 MiB; more than this is not Suricata.
    private static let maxReplyBytes = 64 << 20

    /// How long to wait before asking again for a place in the queue of a program that accepts nobody.
    private static let connectPause: UInt32 = 50_000

    /// Connects. A program that hangs accepts nobody, and its queue is full after a few: that wait has an end, too.
    ///
    /// - Throws: `suricata-absent`, `suricata-stopped`, `suricata-timeout`, `suricata-refused`.
    init(path: String, within seconds: Double) throws(EpitopeError) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        self.path = path
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw EpitopeError(
                .suricataAbsent, "the path of Suricata's command socket is too long: \(path)",
                remedy: "name a shorter path as unix-command filename in suricata.yaml, and in the center's settings")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        while true {
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if connected == 0 { return }
            // All is initialised here, so throwing runs the deinitialiser, which closes the descriptor.
            guard errno == EAGAIN || errno == EINTR else { throw Self.connectError(errno, path) }
            guard ContinuousClock.now < deadline else { throw Self.noAnswer(path) }
            usleep(Self.connectPause)
        }
    }

    deinit {
        close(descriptor)
    }

    private static func connectError(_ error: Int32, _ path: String) -> EpitopeError {
        switch error {
        case ENOENT, ENOTDIR:
            EpitopeError(
                .suricataAbsent, "there is no Suricata command socket at \(path)",
                remedy: "start Suricata with unix-command enabled in suricata.yaml, and name its socket in the center's settings")
        case ECONNREFUSED:
            EpitopeError(
                .suricataStopped, "Suricata is not running: no program listens on \(path)",
                remedy: "start Suricata; it loads the rules from the rules file when it starts")
        default:
            EpitopeError(
                .suricataRefused, "Suricata's command socket \(path) can't be opened: \(String(cString: strerror(error)))",
                remedy: "let the center's user write to the socket (Suricata creates it for its own user and group)")
        }
    }

    /// Sends one line and waits for the line that answers it. A reply may arrive in pieces of any size.
    func exchange(_ line: String, within seconds: Double) throws(EpitopeError) -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            try wait(for: Int16(POLLOUT), until: deadline)
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 { rest = rest.dropFirst(count) } else if count == 0 || !Self.isPassing(errno) { throw connectionClosed() }
        }
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeSubrange(...end) }
                return Array(received[..<end])
            }
            guard received.count < Self.maxReplyBytes else { throw connectionClosed() }
            try wait(for: Int16(POLLIN), until: deadline)
            var piece = [UInt8](repeating: 0, count: 65536)
            let count = piece.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 { received += piece[..<count] } else if count == 0 || !Self.isPassing(errno) { throw connectionClosed() }
        }
    }

    private func wait(for events: Int16, until deadline: ContinuousClock.Instant) throws(EpitopeError) {
        while true {
            let left = deadline - .now
            let (seconds, attoseconds) = left.components
            let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            guard left > .zero else {
                throw Self.noAnswer(path)
            }
            if poll(&entry, 1, Int32(min(milliseconds, 60_000))) > 0 { return }
        }
    }

    /// Whether a call is to be made again.
    private static func isPassing(_ error: Int32) -> Bool { error == EINTR || error == EAGAIN }

    private static func noAnswer(_ path: String) -> EpitopeError {
        EpitopeError(
            .suricataTimeout, "Suricata did not answer on \(path) in time",
            remedy: "check whether Suricata is busy or hangs; a large rule set may need a longer reload timeout")
    }

    private func connectionClosed() -> EpitopeError {
        EpitopeError(
            .suricataStopped, "Suricata closed the connection on \(path)",
            remedy: "see Suricata's log; the center tries again")
    }
}
