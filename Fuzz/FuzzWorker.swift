// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import Foundation

/// The process that parses the inputs, so that a crash ends nothing else. `fuzz` starts it; by hand, it parses one saved
/// input again.
struct FuzzWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz-worker", abstract: "Read inputs made by number, or one saved input.", shouldDisplay: false)

    @Option(help: "The parser's name.")
    var parser: String
    @Option(help: "The seed of all mutations.")
    var seed: UInt64 = 1
    @Option(help: "The first input's number.")
    var first = 0
    @Option(help: "The most inputs.")
    var count = Int.max
    @Option(help: "Ends after so many seconds.")
    var seconds = 3600.0
    @Option(help: "The parser's folder, in which the seeds and the counters lie.")
    var scratch: String
    @Option(help: "Reads this file alone, without limits, and says what came of it.")
    var replay: String?

    /// In bytes: more than any input should need. A parser that allocates more has a bug.
    private static let maxMemoryBytes: UInt64 = 4 << 30
    private static let maxFileBytes: UInt64 = 1 << 30

    func run() throws {
        let parser = try FuzzParsers.named(parser)
        let folder = try FuzzScratch(scratch)
        if let replay {
            let input = [UInt8](try Data(contentsOf: URL(fileURLWithPath: replay)))
            do {
                try parser.run(input, folder)
                Report.line("accepted")
            } catch {
                Report.line("refused: \(error)")
            }
            return
        }
        Self.limit(__rlimit_resource_t(RLIMIT_AS.rawValue), Self.maxMemoryBytes)
        Self.limit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), Self.maxFileBytes)
        Self.limit(__rlimit_resource_t(RLIMIT_CORE.rawValue), 0)
        // Writing too large a file is then an error.
        signal(SIGXFSZ, SIG_IGN)
        let inputs = FuzzInputs(parser: parser, seeds: try folder.keptSeeds(), seed: seed)
        let progress = try FuzzProgress(mapping: folder.file("progress"))
        let deadline = ContinuousClock.now + .seconds(seconds)
        let memory = ProcessCosts.resetPeak()
        defer { progress.note(memory: ProcessCosts.peak - memory) }
        var number = first
        while number - first < count, ContinuousClock.now < deadline {
            let input = inputs.input(number)
            progress.begin(number)
            let before = ProcessCosts.nanoseconds
            do {
                try parser.run(input, folder)
                progress.accept()
            } catch {
                progress.refuse(Refusal.code(of: error))
            }
            progress.charge(bytes: input.count, nanoseconds: ProcessCosts.nanoseconds - before)
            // A crash must not lose it.
            if number % 1000 == 0 { progress.note(memory: ProcessCosts.peak - memory) }
            number += 1
        }
    }

    private static func limit(_ resource: __rlimit_resource_t, _ maximum: UInt64) {
        var bounds = rlimit(rlim_cur: rlim_t(maximum), rlim_max: rlim_t(maximum))
        setrlimit(resource, &bounds)
    }
}
