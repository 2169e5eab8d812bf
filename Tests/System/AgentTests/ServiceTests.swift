// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import Testing

/// The unit file, as systemd understands it.
enum Unit {
    static let path = "\(PackageFolder.path)/Packaging/systemd/epitope-agent.service"

    /// The values of a setting, from all of its lines.
    static func values(_ setting: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix(setting + "=") }
            .flatMap { $0.dropFirst(setting.count + 1).split(separator: " ").map(String.init) }
    }

    /// Options of setpriv(1) for exactly the unit's capabilities.
    static func rights() throws -> [String] {
        let names = try values("CapabilityBoundingSet").map { "+" + $0.dropFirst("CAP_".count).lowercased() }
        return ["--bounding-set=" + (["-all"] + names).joined(separator: ","), "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    }
}

extension AgentTests {
    /// The agent as a service: the unit file by systemd's checks, and the notifications to the service manager.
    @Suite struct ServiceTests {
        static let hasSystemd = access("/usr/bin/systemd-analyze", X_OK) == 0
        static let why: Comment = "needs systemd-analyze: Scripts/install-dependencies test"

        @Test(.enabled(if: hasSystemd, why)) func `systemd accepts the unit`() async throws {
            let folder = try TemporaryFolder()
            // The agent is in another folder here.
            let text = try String(contentsOfFile: Unit.path, encoding: .utf8)
                .replacing("/usr/bin/epitope-agent", with: try Command.built("epitope-agent"))
            let path = folder.path + "/epitope-agent.service"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            let verified = try await Command.run("/usr/bin/systemd-analyze", ["verify", path])
            #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")
            let exposure = try await Command.run("/usr/bin/systemd-analyze", ["security", "--offline=true", "--threshold=40", path])
            #expect(exposure.status == 0, "\(exposure.output)\(exposure.errors)")
        }

        @Test func `the service manager is told that the agent is ready and alive`() async throws {
            let fixture = try await AgentFixture()
            let socket = try Datagrams(path: fixture.folder.path + "/notify")
            let starting = try RunningProcess(
                fixture.words(before: ["/usr/bin/env", "NOTIFY_SOCKET=\(socket.path)", "WATCHDOG_USEC=30000000"]))
            try await eventually("READY=1", seconds: 60) { socket.received.contains { $0.contains("READY=1\n") } }
            // Not before it protects.
            #expect(starting.errors.contains("protecting every process"))
            #expect(try await fixture.pinned().contains { $0.hasPrefix("program-1-") })
            #expect(try await fixture.status().status == 0)
            try await eventually("WATCHDOG=1 and a status") {
                socket.received.contains { $0.contains("WATCHDOG=1\n") }
                    && socket.received.contains { $0.hasPrefix("STATUS=by tracepoints, action watch: ") }
            }
            #expect(try await starting.end() == 0)
            #expect(socket.received.contains("STOPPING=1\n"))
        }
    }
}

/// A socket such as a service manager listens on.
final class Datagrams: Sendable {
    let path: String
    private let descriptor: Int32
    private let collected = Mutex<[String]>([])

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let descriptor = descriptor
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw NeverCame(what: "a socket at \(path)") }
    }

    deinit { close(descriptor) }

    /// All messages so far.
    var received: [String] {
        var room = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &room, room.count, 0)
            guard count > 0 else { return collected.withLock { $0 } }
            let text = String(decoding: room[..<count], as: UTF8.self)
            collected.withLock { $0.append(text) }
        }
    }
}
