import ArgumentParser

/// `epitope verify`: seeks signatures in folders and captures.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "verify", abstract: "Seek signatures in folders and captures.")
}
