import ArgumentParser

/// The experiments and benchmarks of signatures: `make bench-signatures`.
@main
struct SignatureBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "signature-bench", abstract: "Measure signatures against what is published.")
}
