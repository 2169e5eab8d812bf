// SPDX-License-Identifier: Apache-2.0

/// The text of a rules file: Epitope writes all of its rules into one file, which it owns.
public enum RulesFileText {
    private static let header = """
        # Written by Epitope. Changes made here are lost with its next update.
        # Each rule names its signature (epitope_signature), and when it was made and expires.


        """

    /// One rule on each line, in the order of their numbers, so that the same rules always give the same file.
    public static func render(_ rules: [SuricataRule]) -> String {
        render(lines: rules.sorted { ($0.sid, $0.revision) < ($1.sid, $1.revision) }.map(\.text))
    }

    /// The file of rendered rules, in the given order.
    public static func render(lines: [String]) -> String {
        header + lines.map { $0 + "\n" }.joined()
    }

    /// The rules in a file that ``render(_:)`` wrote. Comments, and lines that ``RuleSyntax`` rejects, are skipped.
    public static func rules(in text: String) -> [SuricataRule] {
        text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }.compactMap { try? RuleSyntax.check(String($0)) }
    }
}
