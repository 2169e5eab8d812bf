// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A running worker.
final class FuzzProcess {
    enum Ending: Equatable, CustomStringConvertible {
        /// It processed all its inputs.
        case finished
        case signal(Int32)
        case status(Int32)
        /// It was killed: one input took too long.
        case hung

        var description: String {
            switch self {
            case .finished: "finished"
            case .signal(let number): "signal \(number)"
            case .status(let number): "exit status \(number)"
            case .hung: "no end"
            }
        }
    }

    /// The worker exited before it read an input.
    struct Unstartable: Error, CustomStringConvertible {
        var parser: String
        var why: String
        var description: String { "the worker of '\(parser)' ended before its first input: \(why)" }
    }

    private let process = Process()
    private let errors: String

    init(parser: String, seed: UInt64, first: Int, count: Int, seconds: Double, scratch: FuzzScratch) throws {
        errors = scratch.file("errors")
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        process.executableURL = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        process.arguments = [
            "fuzz-worker", "--parser", parser, "--seed", "\(seed)", "--first", "\(first)", "--count", "\(count)",
            "--seconds", "\(seconds)", "--scratch", scratch.path,
        ]
        // A backtrace of each crash would take longer than thousands of inputs.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
    }

    /// Waits for the worker to exit; kills it if its counter doesn't change for too long.
    func watch(counters: String, maxInputSeconds: Double) throws -> Ending {
        var seen = try FuzzProgress.read(counters).current
        var since = ContinuousClock.now
        while process.isRunning {
            Thread.sleep(forTimeInterval: 0.02)
            let current = try FuzzProgress.read(counters).current
            if current != seen {
                (seen, since) = (current, .now)
            } else if since.duration(to: .now) > .seconds(maxInputSeconds), process.isRunning {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                return .hung
            }
        }
        if process.terminationReason == .uncaughtSignal { return .signal(process.terminationStatus) }
        return process.terminationStatus == 0 ? .finished : .status(process.terminationStatus)
    }

    /// The first line that it wrote about its failure.
    var lastWords: String {
        let text = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n")
        return String((lines.first { $0.contains("atal error") } ?? lines.last ?? "no word").prefix(200))
    }
}
