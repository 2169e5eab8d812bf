// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

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

    /// More letters than that are no slip of the fingers.
    private static let maxDistance = 2

    /// - Parameter words: of the command line, without the program's name.
    /// - Returns: `nil` where all names are commands, or an option comes before the one that isn't.
    static func unknown(in words: [String], of root: any ParsableCommand.Type) -> Unknown? {
        var (command, path) = (root, [name(of: root)])
        for word in words.first == "help" ? words.dropFirst() : words[...] {
            let commands = command.configuration.subcommands
            guard !commands.isEmpty, !word.hasPrefix("-") else { return nil }
            guard let next = commands.first(where: { name(of: $0) == word }) else {
                return Unknown(word: word, command: path, similar: similar(to: word, among: commands.map(name)))
            }
            command = next
            path.append(word)
        }
        return nil
    }

    private static func name(of command: any ParsableCommand.Type) -> String { command._commandName }

    /// The one of some names that a mistyped one probably stands for.
    static func similar(to word: String, among names: [String]) -> String? {
        let ranked = names.filter { abs($0.count - word.count) <= maxDistance }.map { (name: $0, distance: distance(word, $0)) }.sorted {
            $0.distance < $1.distance
        }
        guard let best = ranked.first, best.distance <= min(maxDistance, best.name.count / 2) else { return nil }
        return best.name
    }

    /// How many letters have to be put in, left out, exchanged, or swapped with their neighbour (optimal string alignment).
    static func distance(_ one: String, _ other: String) -> Int {
        let (a, b) = (Array(one), Array(other))
        var rows = [Array(0...b.count)]
        for i in 1..<(a.count + 1) {
            var row = [i]
            for j in 1..<(b.count + 1) {
                var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
