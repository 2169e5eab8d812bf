// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import Foundation

/// Fuzzes one parser for a time: starts workers, detects crashes and hangs, saves the inputs that caused them, and continues
/// after them.
struct FuzzCampaign {
    struct Outcome {
        var inputs = 0
        var accepted = 0
        var refused: [(code: String, count: Int)] = []
        var crashes = 0
        var hangs = 0
        var seconds = 0.0
        /// Of processor time, for a byte of input.
        var nanosecondsPerByte = 0.0
        /// In bytes: the most memory that reading took, for a byte of the longest input.
        var memoryPerByte = 0.0
    }

    /// A parser with this many crashes and hangs is not fuzzed further.
    private static let maxFailures = 20
    /// In seconds: an input that takes longer is a hang.
    private static let maxInputSeconds = 10.0

    let parser: FuzzParser
    let seed: UInt64
    let seconds: Double
    /// `nil` for no limit but the time.
    let inputs: Int?
    let scratch: FuzzScratch
    /// The folder for inputs that crash or hang.
    let crashFolder: String

    func run() throws -> Outcome {
        try scratch.keep(seeds: try parser.seeds(scratch))
        let made = FuzzInputs(parser: parser, seeds: try scratch.keptSeeds(), seed: seed)
        let counters = scratch.file("progress")
        try FuzzProgress.create(at: counters)
        var outcome = Outcome()
        var next = 0
        let started = ContinuousClock.now
        func elapsed() -> Double { started.duration(to: .now).milliseconds / 1000 }
        while elapsed() < seconds, next < inputs ?? .max, outcome.crashes + outcome.hangs < Self.maxFailures {
            let worker = try FuzzProcess(
                parser: parser.name, seed: seed, first: next, count: (inputs ?? .max) - next, seconds: seconds - elapsed(),
                scratch: scratch)
            let ending = try worker.watch(counters: counters, maxInputSeconds: Self.maxInputSeconds)
            let current = try FuzzProgress.read(counters).current
            guard ending != .finished else {
                next = max(next, current.map { $0 + 1 } ?? 0)
                break
            }
            guard let current, current >= next else {
                throw FuzzProcess.Unstartable(parser: parser.name, why: worker.lastWords)
            }
            let isHang = ending == .hung
            if isHang { outcome.hangs += 1 } else { outcome.crashes += 1 }
            try keep(made.input(current), number: current, "\(isHang ? "hang" : "crash") (\(ending)): \(worker.lastWords)")
            next = current + 1
        }
        let tally = try FuzzProgress.read(counters)
        outcome.inputs = next
        outcome.accepted = tally.accepted
        outcome.refused = tally.refused
        outcome.seconds = elapsed()
        outcome.nanosecondsPerByte = Double(tally.nanoseconds) / Double(max(1, tally.bytes))
        outcome.memoryPerByte = Double(tally.memory) / Double(max(1, tally.longest))
        return outcome
    }

    private func keep(_ input: [UInt8], number: Int, _ what: String) throws {
        let path = try FuzzScratch(crashFolder).write(input, to: "\(parser.name)-\(number).bin")
        Report.line("  \(parser.name) input \(number), \(input.count) bytes: \(what)\n    kept as \(path)")
    }
}
