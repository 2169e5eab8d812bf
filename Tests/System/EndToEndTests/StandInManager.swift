// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Foundation
import Synchronization
import TestSupport

/// What a service manager does with the descriptors of a service (sd_notify(3), sd_listen_fds(3)): keeps copies of those that
/// it is sent, closes those that it is told to, and gives the rest to the next process.
final class StandInManager: Sendable {
    private let folder: TemporaryFolder
    private let socket: Int32
    private let kept = Mutex<[(name: String, descriptor: Int32)]>([])

    init() throws {
        folder = try TemporaryFolder()
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8.prefix(107))) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard bound == 0 else { throw NeverCame(what: "a socket at \(path)") }
        Thread { [weak self, socket] in
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                var descriptors = [Int32](repeating: -1, count: Int(EPITOPE_MAX_DESCRIPTORS))
                var count: Int32 = 0
                let length = epitope_receive(socket, &bytes, bytes.count, &descriptors, &count)
                guard length > 0, let self else { return }
                self.take(String(decoding: bytes[..<length], as: UTF8.self), Array(descriptors[..<Int(count)]))
            }
        }.start()
    }

    deinit {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
        for (_, descriptor) in kept.withLock({ $0 }) { close(descriptor) }
    }

    private var path: String { folder.path + "/notify" }
    var names: Set<String> { Set(kept.withLock { $0.map(\.name) }) }

    private func take(_ text: String, _ descriptors: [Int32]) {
        let lines = text.split(separator: "\n")
        let name = lines.first { $0.hasPrefix("FDNAME=") }.map { String($0.dropFirst(7)) } ?? "stored"
        kept.withLock { kept in
            if lines.contains("FDSTORE=1") {
                kept += descriptors.map { (name, $0) }
                return
            }
            for descriptor in descriptors { close(descriptor) }
            guard lines.contains("FDSTOREREMOVE=1") else { return }
            for one in kept where one.name == name { close(one.descriptor) }
            kept.removeAll { $0.name == name }
        }
    }

    /// Starts a program as a service, with what is kept for it.
    func start(_ program: [String]) throws -> RunningProcess {
        let kept = kept.withLock { $0 }
        let names = kept.map(\.name).joined(separator: ":")
        let listen = kept.isEmpty ? "" : "LISTEN_PID=$$ LISTEN_FDS=\(kept.count) LISTEN_FDNAMES=\(names) "
        return try RunningProcess(
            ["/bin/sh", "-c", "NOTIFY_SOCKET=\(path) \(listen)exec \"$0\" \"$@\""] + program, descriptors: kept.map(\.descriptor))
    }
}
