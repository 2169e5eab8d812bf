// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a machine of its own said, which one of `Scripts/vm/run-in-machine` and `Scripts/vm/boot-in-machine` booted.
public struct Machine: Sendable {
    public let console: String
    public let status: Int32

    /// - Parameters:
    ///   - script: its name in `Scripts/vm`.
    ///   - arguments: but for the first, which is `seconds`.
    ///   - suite: the release of Debian that the kernel is of; `nil`: this machine's own.
    /// - Throws: when no machine can be made here, with the script's reason.
    public static func boot(_ script: String, seconds: Int, _ arguments: [String], suite: String? = nil) async throws -> Machine {
        let run = try await Command.run(
            "\(PackageFolder.path)/Scripts/vm/\(script)", [String(seconds)] + arguments,
            environment: suite.map { ["EPITOPE_MACHINE_SUITE": $0] } ?? [:], seconds: Double(seconds) + 20)
        if run.status == 3 { throw ProgramBuildError(text: run.errors) }
        return Machine(console: run.output, status: run.status)
    }

    /// Where the machine's kernel broke, what it said of that; else what was said last.
    public var lastWords: Substring {
        if let broke = ["BUG: ", "Kernel panic", "Oops: "].compactMap({ console.range(of: $0)?.lowerBound }).min() {
            return console[broke...].prefix(6000)
        }
        return console.suffix(2000)
    }

    /// The steps that failed, each a line of the console.
    public var failures: [Substring] { lines.filter { $0.hasPrefix("FAILED") } }
    public var lines: [Substring] { console.split(separator: "\n") }
}
