// SPDX-License-Identifier: Apache-2.0

import Rendering

/// Whose a rules file is: two centers on one machine, or a center and a person, must not take turns with one file.
enum RulesFileOwner: Hashable, Sendable {
    /// It has no rule, and nobody's name.
    case nobody
    /// Epitope wrote it: the center of that name, or one that gave none.
    case center(String?)
    /// It holds something that Epitope did not write.
    case others

    /// How a file begins that Epitope wrote (RulesFileText).
    private static let beginning = "# Written by Epitope."
    private static let ownerPrefix = "# Center: "

    init(of text: String) {
        guard text.hasPrefix(Self.beginning) else {
            let lines = text.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }
            self = lines.allSatisfy { $0.isEmpty || $0.hasPrefix("#") } ? .nobody : .others
            return
        }
        let line = text.prefix(1024).split(whereSeparator: \.isNewline).first { $0.hasPrefix(Self.ownerPrefix) }
        self = .center(line.map { String($0.dropFirst(Self.ownerPrefix.count)) })
    }

    /// The text of a rules file with its owner's name.
    static func text(_ lines: [String], owner: String?) -> String {
        RulesFileText.render(lines: (owner.map { [ownerPrefix + $0] } ?? []) + lines)
    }
}
