// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import Foundation

/// Fuzzes every parser of untrusted data with mutated inputs, each in its own process: none may crash or hang.
struct FuzzExperiment: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz", abstract: "Read mutated inputs with every parser, count them, and keep what crashes or hangs.",
        discussion: "Parsers: \(FuzzParsers.all.map(\.name).joined(separator: ", ")).")

    @Option(help: "How long each parser is fed, in seconds (default: 20; 3 with --quick).")
    var seconds: Double?
    @Option(help: "The most inputs for each parser (default: as many as the time allows).")
    var inputs: Int?
    @Option(help: "The seed of all mutations: the same one gives the same inputs again.")
    var seed: UInt64 = 1
    @Option(help: "These parsers alone, with commas between their names.")
    var only: String?
    @Option(help: "Keeps seeds and indexes in this folder, and inputs that crash or hang in its folder 'crashes'.")
    var keep: String?
    @Flag(help: "Three seconds for each parser, for a look.")
    var quick = false

    func validate() throws {
        if let seconds, !(0.1...86_400).contains(seconds) { throw ValidationError("--seconds takes 0.1 to 86400") }
        if let inputs, inputs < 1 { throw ValidationError("--inputs takes 1 and more") }
        _ = try parsers()
    }

    private func parsers() throws -> [FuzzParser] {
        try only.map { try $0.split(separator: ",").map { try FuzzParsers.named(String($0)) } } ?? FuzzParsers.all
    }

    func run() throws {
        let folder = keep ?? FuzzScratch.fresh()
        let crashes = keep.map { "\($0)/crashes" } ?? FileManager.default.temporaryDirectory.path + "/epitope-fuzz-crashes"
        defer { if keep == nil { try? FileManager.default.removeItem(atPath: folder) } }
        var rows: [[String]] = []
        var all = FuzzCampaign.Outcome()
        for parser in try parsers() {
            Report.progress("\(parser.name): \(parser.what)")
            let outcome = try FuzzCampaign(
                parser: parser, seed: seed, seconds: seconds ?? (quick ? 3 : 20), inputs: inputs,
                scratch: try FuzzScratch("\(folder)/\(parser.name)"), crashFolder: crashes
            ).run()
            rows.append(Self.row(parser, outcome))
            all.inputs += outcome.inputs
            all.crashes += outcome.crashes
            all.hangs += outcome.hangs
        }
        Report.table(
            "Parsers on mutated inputs (seed \(seed))",
            ["parser", "what", "inputs", "accepted", "refused", "crashes", "hangs", "inputs/s", "ns/byte", "memory/byte", "refused as"],
            rows)
        Report.keys([("fuzz_inputs", "\(all.inputs)"), ("fuzz_crashes", "\(all.crashes)"), ("fuzz_hangs", "\(all.hangs)")])
        if all.crashes + all.hangs > 0 { throw ExitCode.failure }
    }

    private static func row(_ parser: FuzzParser, _ outcome: FuzzCampaign.Outcome) -> [String] {
        let refused = outcome.refused.reduce(0) { $0 + $1.count }
        let top = outcome.refused.prefix(3).map { "\($0.code) \($0.count)" }.joined(separator: ", ")
        return [
            parser.name, parser.what, "\(outcome.inputs)", "\(outcome.accepted)", "\(refused)", "\(outcome.crashes)",
            "\(outcome.hangs)", Report.decimal(Double(outcome.inputs) / max(outcome.seconds, 0.001), digits: 0),
            Report.decimal(outcome.nanosecondsPerByte, digits: 1), Report.decimal(outcome.memoryPerByte, digits: 0), top,
        ]
    }
}
