// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FileAccess
import Foundation
import TestSupport

/// The process that reads one input of a worst case, so that its memory and time are its own. `worst` starts it.
struct WorstCaseWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worst-worker", abstract: "Read one input of a worst case, and print what it cost.", shouldDisplay: false)

    @Option(name: .customLong("case"), help: "The case's name.")
    var name: String
    @Option(help: "The input's size, in bytes.")
    var size: Int
    @Option(help: "The folder for files.")
    var scratch: String

    func run() throws {
        let worst = try WorstCases.named(name)
        let input = try worst.make(size, try FuzzScratch(scratch))
        // What it took to make the input is no part of the limit.
        Self.limitProcessorTime(Int(worst.maxSeconds(bytes: input.bytes).rounded(.up)) + Self.nanoseconds() / 1_000_000_000 + 1)
        let memory = Self.resetPeak()
        let before = Self.nanoseconds()
        let steps = try input.run()
        let cost = WorstCaseCost(
            bytes: input.bytes, steps: steps, nanoseconds: Self.nanoseconds() - before, memory: max(0, Self.memory("VmHWM") - memory))
        print(String(decoding: try JSONEncoder().encode(cost), as: UTF8.self))
    }

    private static func limitProcessorTime(_ seconds: Int) {
        var bounds = rlimit(rlim_cur: rlim_t(seconds), rlim_max: rlim_t(seconds + 1))
        setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &bounds)
    }

    /// The processor time of the process so far.
    private static func nanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Makes the peak what is in use now (proc(5), clear_refs).
    ///
    /// - Returns: what is in use, in bytes.
    private static func resetPeak() -> Int {
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
        return memory("VmRSS")
    }

    /// A line of `/proc/self/status`, in bytes.
    private static func memory(_ name: String) -> Int {
        let text = ProcFS.text("/proc/self/status") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }
}
