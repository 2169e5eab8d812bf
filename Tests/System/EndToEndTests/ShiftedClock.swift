// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// A wall clock that is moved ahead for the programs that go by it. Durations, and timers, are the machine's own.
final class ShiftedClock {
    /// libfaketime's; `nil`: it is not installed.
    static let library = ["x86_64", "aarch64"].map { (machine: String) in
        "/usr/lib/\(machine)-linux-gnu/faketime/libfaketimeMT.so.1"
    }.first { (path: String) in access(path, R_OK) == 0 }

    private let folder: TemporaryFolder
    private let steadyTimers: String
    private(set) var days = 0.0

    init() throws {
        folder = try TemporaryFolder()
        steadyTimers = try URL(filePath: Command.built("epitope")).deletingLastPathComponent().path + "/libSteadyTimers.so"
        try move(toDay: 0)
    }

    func move(toDay days: Double) throws {
        self.days = days
        // Whoever reads it reads all of it.
        try Data("+\(days)d\n".utf8).write(to: URL(filePath: file), options: .atomic)
    }

    private var file: String { folder.path + "/clock" }

    /// Begins the words of a program that goes by the clock as it is now, for as long as it runs.
    var fixed: [String] { variables("FAKETIME=+\(days)d") }

    /// Begins the words of a program for which the clock moves on while it runs.
    var moving: [String] { variables("FAKETIME_TIMESTAMP_FILE=\(file)") }

    /// FAKETIME_SHARED is set because the library would else set it itself, and so move the environment, beside which Swift looks for a
    /// program's arguments.
    private func variables(_ ahead: String) -> [String] {
        [
            "/usr/bin/env", "LD_PRELOAD=\(steadyTimers):\(Self.library ?? "")", ahead, "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1",
            "FAKETIME_SHARED=/faketime_sem_\(getpid()) /faketime_shm_\(getpid())",
        ]
    }
}
