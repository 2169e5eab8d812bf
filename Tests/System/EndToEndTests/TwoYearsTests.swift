// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A host that runs on while its clock, and its center's, go through two years.
@Suite(.serialized) struct TwoYearsTests {
    private static let library: String? = ["x86_64", "aarch64"].map { (machine: String) in
        "/usr/lib/\(machine)-linux-gnu/faketime/libfaketimeMT.so.1"
    }.first { (path: String) in access(path, R_OK) == 0 }
    private static let why: Comment = "needs libfaketime: Scripts/install-dependencies test"
    private static let stepDays = 25
    private static let steps = 30

    /// Wall clock by what says how far it is ahead: a file, or a variable; durations are as they are. FAKETIME_SHARED is set because the library
    /// would else set it itself, and so move the environment, beside which Swift looks for a program's arguments.
    private static func variables(_ ahead: String) -> [String] {
        [
            "/usr/bin/env", "LD_PRELOAD=\(library ?? "")", ahead, "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1",
            "FAKETIME_SHARED=/faketime_sem_\(getpid()) /faketime_shm_\(getpid())",
        ]
    }

    @Test(.enabled(if: library != nil, why)) func `it is never silent`() async throws {
        let folder = try TemporaryFolder()
        let clock = folder.path + "/clock"
        func set(_ days: Int) throws { try Data("+\(days)d\n".utf8).write(to: URL(fileURLWithPath: clock)) }
        try set(0)
        let (center, host) = try await makeSite()
        try await center.stop()
        let address = try #require(center.url.split(separator: "/").last)
        let epitope = try Command.built("epitope")
        let series = try Command.built("call-series")
        /// Its key process can read no file.
        func serve(_ days: Int) -> [String] {
            Self.variables("FAKETIME=+\(days)d") + [epitope, "local-center", "serve", "--state", center.state, "--listen", String(address)]
        }
        var server = try RunningProcess(serve(0))
        try await server.line(with: "listening on")
        // A service: a new attack whenever it is told.
        let service = try RunningProcess(
            Self.variables("FAKETIME_TIMESTAMP_FILE=\(clock)") + [
                epitope, "run", "--state", host.state, "--", "/bin/sh", "-c",
                "for n in $(seq \(Self.steps)); do while [ ! -e \(folder.path)/$n ]; do sleep 0.05; done; \(series) 1 0 9555; done",
            ])
        for step in 1...Self.steps {
            try await server.end()
            try set(step * Self.stepDays)
            // A center looks at its own certificate when it starts, and then by the hour.
            server = try RunningProcess(serve(step * Self.stepDays))
            try await server.line(with: "listening on")
            _ = try folder.makeFile("\(step)")
            try await eventually("the packet of day \(step * Self.stepDays)", seconds: 60) { host.events("sent").count >= step }
        }
        try await eventually("the service's end", seconds: 60) { service.hasEnded }
        #expect(host.events("sent").count == Self.steps)
        #expect(host.events("renewed").count >= 8)
        #expect(host.events("stopped").isEmpty && host.events("renewal-failed").isEmpty)
        try await server.end()
    }
}
