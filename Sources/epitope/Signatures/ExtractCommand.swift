import ArgumentParser

/// `epitope extract`: makes signatures of code without any center.
struct ExtractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "extract", abstract: "Make signatures of code, packets or samples.")
}
