// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The fuzzer: `make fuzz` runs it. Prints a table, and last a line `KEY name=value ...` for scripts.
@main
struct EpitopeFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epitope-fuzz", abstract: "Try every parser of what others send or store on mutated inputs.",
        subcommands: [FuzzExperiment.self, FuzzWorker.self, WorstCaseExperiment.self, WorstCaseWorker.self],
        defaultSubcommand: FuzzExperiment.self)
}
