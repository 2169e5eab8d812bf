// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The experiments and benchmarks of signatures: `make bench-signatures` runs them in turn.
///
/// Each subcommand prints tables with the published figures beside ours, and last a line `KEY name=value ...` that
/// `Bench/Signatures/bench-signatures` collects.
@main
struct SignatureBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signature-bench", abstract: "Measure signatures against what is published.",
        subcommands: [
            PolymorphicExperiment.self,
            VariationExperiment.self,
            HeadsExperiment.self,
            GoodwareExperiment.self,
            SpeedExperiment.self,
            ReassemblyExperiment.self,
            ServicesExperiment.self,
            WindowsExperiment.self,
        ])
}
