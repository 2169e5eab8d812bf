import ArgumentParser

struct PolymorphicExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "polymorphic", abstract: "Signatures of polymorphic streams: missed variants and hits on benign streams.")

    func run() async throws {}
}
