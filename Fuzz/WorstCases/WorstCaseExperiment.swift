// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import Foundation

/// Reads the worst input of every reader and strategy at growing sizes, and prints what a byte costs. Ends with a status other
/// than 0 where a bound is broken.
struct WorstCaseExperiment: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worst", abstract: "Read the costliest inputs at growing sizes: time, memory and steps a byte, within bounds.",
        discussion: "Cases: \(WorstCases.all.map(\.name).joined(separator: ", ")).")

    @Option(help: "These cases alone, with commas between their names.")
    var only: String?
    @Flag(help: "The smallest size of each case alone, for a look.")
    var quick = false

    func validate() throws {
        _ = try cases()
    }

    private func cases() throws -> [WorstCase] {
        try only.map { try $0.split(separator: ",").map { try WorstCases.named(String($0)) } } ?? WorstCases.all
    }

    func run() throws {
        var rows: [[String]] = []
        var failed = 0
        for worst in try cases() {
            Report.progress("\(worst.name): \(worst.what)")
            for size in quick ? Array(worst.sizes.prefix(1)) : worst.sizes {
                let (row, isWithin) = try Self.row(worst, size: size)
                rows.append(row)
                failed += isWithin ? 0 : 1
            }
        }
        Report.table(
            "The costliest inputs, each in a process of its own",
            ["case", "input", "bytes", "ns/byte", "memory/byte", "memory MiB", "steps/byte", "at most", "verdict"], rows)
        Report.keys([("fuzz_worst_inputs", "\(rows.count)"), ("fuzz_worst_failed", "\(failed)")])
        if failed > 0 { throw ExitCode.failure }
    }

    private static func row(_ worst: WorstCase, size: Int) throws -> (row: [String], isWithin: Bool) {
        let folder = FuzzScratch.fresh()
        defer { remove(folder) }
        let bound = worst.maxSteps.map { Report.decimal($0, digits: 1) } ?? "-"
        switch try cost(of: worst, size: size, scratch: try FuzzScratch(folder).path) {
        case .failure(let failure):
            return ([worst.name, worst.what, "about \(size)", "-", "-", "-", "-", bound, "FAILED: \(failure.why)"], false)
        case .success(let cost):
            let broken = worst.broken(by: cost)
            func each(_ value: Int) -> String { Report.decimal(Double(value) / Double(max(1, cost.bytes)), digits: 2) }
            return (
                [
                    worst.name, worst.what, "\(cost.bytes)", each(cost.nanoseconds), each(cost.memory), "\(cost.memory >> 20)",
                    cost.steps.map(each) ?? "-", bound, broken.isEmpty ? "within" : "FAILED: " + broken.joined(separator: ", "),
                ], broken.isEmpty
            )
        }
    }

    /// Foundation removes no path that is longer than the kernel takes at once.
    private static func remove(_ folder: String) {
        let removal = Process()
        removal.executableURL = URL(fileURLWithPath: "/bin/rm")
        removal.arguments = ["-rf", folder]
        if (try? removal.run()) != nil { removal.waitUntilExit() }
    }

    /// The worker ended without a result.
    private struct Failure: Error {
        var why: String
    }

    private static func cost(of worst: WorstCase, size: Int, scratch: String) throws -> Result<WorstCaseCost, Failure> {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        process.arguments = ["worst-worker", "--case", worst.name, "--size", "\(size)", "--scratch", scratch]
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        if let cost = try? JSONDecoder().decode(WorstCaseCost.self, from: printed) { return .success(cost) }
        let isTooSlow = process.terminationReason == .uncaughtSignal && [SIGXCPU, SIGKILL].contains(process.terminationStatus)
        return .failure(Failure(why: isTooSlow ? "more processor time than the bound" : "it ended with \(process.terminationStatus)"))
    }
}
