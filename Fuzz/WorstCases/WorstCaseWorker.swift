// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
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
        Self.limitProcessorTime(Int(worst.maxSeconds(bytes: input.bytes).rounded(.up)) + ProcessCosts.nanoseconds / 1_000_000_000 + 1)
        let memory = ProcessCosts.resetPeak()
        let before = ProcessCosts.nanoseconds
        let steps = try input.run()
        let cost = WorstCaseCost(
            bytes: input.bytes, steps: steps, nanoseconds: ProcessCosts.nanoseconds - before, memory: max(0, ProcessCosts.peak - memory))
        print(String(decoding: try JSONEncoder().encode(cost), as: UTF8.self))
    }

    private static func limitProcessorTime(_ seconds: Int) {
        var bounds = rlimit(rlim_cur: rlim_t(seconds), rlim_max: rlim_t(seconds + 1))
        setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &bounds)
    }
}
