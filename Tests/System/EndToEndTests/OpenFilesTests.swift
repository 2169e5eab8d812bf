// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Centers that may have few files open, and more connections than that.
@Suite struct OpenFilesTests {
    /// A connection that says nothing.
    private final class Silent {
        private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)

        init(port: UInt16) throws {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
            try #require(connected == 0)
        }

        deinit { close(descriptor) }
    }

    /// The processor time that a process has used, in seconds.
    private func processorTime(of process: pid_t) throws -> Double {
        let fields = try KernelFile.text("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        let ticks = try fields[11...12].map { try #require(Double($0)) }
        return (ticks[0] + ticks[1]) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    @Test(arguments: [64, 200]) func `a host gets in beside more connections than there are descriptors, and no core spins`(
        _ limit: Int
    ) async throws {
        let center = try await Center()
        try await center.serve(openFiles: limit)
        let server = try #require(center.server)
        #expect(server.errors.contains("this process may have \(limit) files open"), "\(server.errors)")
        let port = try #require(center.url.split(separator: ":").last.flatMap { UInt16($0) })
        let silent = try (0..<limit + 20).map { _ in try Silent(port: port) }
        let before = try processorTime(of: server.identifier)
        try await Task.sleep(for: .seconds(3))
        #expect(try processorTime(of: server.identifier) - before < 1.5, "a loop takes three")
        let host = try Host()
        try await host.enroll(at: center)
        try await host.attack()
        #expect(host.events("sent").count == 1, "\(host.events)")
        withExtendedLifetime(silent) {}
        try await center.stop()
    }

    @Test func `where no connection has room the center says how many files it needs, and doesn't start`() async throws {
        let center = try await Center()
        try await center.serve()
        try await center.stop()
        let words = [
            "-c", "ulimit -n 32 && exec \"$@\"", "bash", try Command.built("epitope"), "local-center", "serve", "--state", center.state,
            "--listen", "127.0.0.1:0",
        ]
        let refused = try await Command.run("/bin/bash", words, seconds: 60)
        expectFailure(refused, "limit-too-low")
        #expect(refused.errors.contains("LimitNOFILE"), "\(refused.errors)")
    }
}
