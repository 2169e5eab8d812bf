// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import Foundation

/// One run of a program.
struct EngineRun {
    /// In seconds, for one run.
    static let maxSeconds = 1800

    /// What it wrote to standard output, line by line.
    var lines: [Substring]
    var seconds: Double

    /// Runs a program to its end; `nil` when it isn't there or did not end in time.
    init?(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "\(Self.maxSeconds)"] + words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        let started = ContinuousClock().now
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        // 124: out of time; 126, 127: not there. clamscan ends with 1 for a hit and 2 when a file could not be read.
        guard ![124, 126, 127].contains(process.terminationStatus) else { return nil }
        seconds = started.duration(to: ContinuousClock().now).milliseconds / 1000
        lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    }
}
