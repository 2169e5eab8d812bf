import ArgumentParser

struct VariationExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "variation", abstract: "How many unseen variants each strategy's signatures match.")

    func run() async throws {}
}
