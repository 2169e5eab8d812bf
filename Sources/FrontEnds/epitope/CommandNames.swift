// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import SettingsFiles

/// Finds the word of a command line that stands where a command's name is expected, and is none: swift-argument-parser shows the
/// general help for `help NONSENSE`, and knows no similar names.
struct CommandNames {
    /// A word that names no command.
    struct Unknown: Hashable {
        var word: String
        /// The command whose subcommands were expected, as the words that call it.
        var command: [String]
        /// The name that was probably meant.
        var similar: String?

        var message: String {
            let known = command.joined(separator: " ")
            guard let similar else { return "there is no command '\(known) \(word)'" }
            return "there is no command '\(known) \(word)'; did you mean '\(known) \(similar)'?"
        }
    }

    /// - Parameter words: of the command line, without the program's name.
    /// - Returns: `nil` where all names are commands, or an option comes before the one that isn't.
    static func unknown(in words: [String], of root: any ParsableCommand.Type) -> Unknown? {
        var (command, path) = (root, [name(of: root)])
        for word in words.first == "help" ? words.dropFirst() : words[...] {
            let commands = command.configuration.subcommands
            guard !commands.isEmpty, !word.hasPrefix("-") else { return nil }
            guard let next = commands.first(where: { name(of: $0) == word }) else {
                return Unknown(word: word, command: path, similar: SimilarWord.similar(to: word, among: commands.map(name)))
            }
            command = next
            path.append(word)
        }
        return nil
    }

    private static func name(of command: any ParsableCommand.Type) -> String { command._commandName }
}
