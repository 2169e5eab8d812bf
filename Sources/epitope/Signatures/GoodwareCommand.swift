import ArgumentParser

/// `epitope goodware`: builds, extends and asks the goodware index.
struct GoodwareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "goodware", abstract: "Build, extend and ask the goodware index.")
}
