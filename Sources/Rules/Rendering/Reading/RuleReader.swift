// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures

/// Reads rules back as the signatures that they were written from, in every language that Epitope writes.
///
/// Only Epitope's own forms are read: a rule of another hand may say what a ``Signatures/Signature`` can't, and would then be
/// searched for as something else.
public enum RuleReader {
    /// A rule that was read.
    public struct ReadRule: Hashable, Sendable {
        public var signature: Signature
        public var language: RuleLanguage
        /// The id of the signature that the rule names.
        public var namedID: String

        /// Whether the rule's bytes are those of the signature that it names. If not, somebody changed the rule, or the
        /// language could not say an upper bound of a gap (``SuricataRule/init(_:action:rarity:)``).
        public var isWhatItNames: Bool { signature.id == namedID }
    }

    /// A rule that was not read.
    public struct Refusal: Hashable, Sendable {
        /// For people: `line 3`, or `indicator--…`.
        public var place: String
        public var reason: String
    }

    /// What a file of rules holds.
    public struct Contents: Sendable {
        public var rules: [ReadRule] = []
        public var refusals: [Refusal] = []
    }

    /// Reads rules of Suricata, Snort 2 and 3, YARA and ClamAV, also if they are mixed. Comments and empty lines are skipped.
    public static func rules(in text: String) -> Contents {
        var contents = Contents()
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().makeIterator()
        while let (number, line) = lines.next() {
            var rule = line.trimmed
            guard !rule.isEmpty, !rule.hasPrefix("#"), !rule.hasPrefix("//") else { continue }
            if rule.hasPrefix("rule ") {
                // A YARA rule ends at the first line that is only a brace.
                while !rule.hasSuffix("\n}"), let (_, next) = lines.next() { rule += "\n" + next.trimmed }
            }
            do throws(Unreadable) {
                contents.rules.append(try Self.rule(rule))
            } catch {
                contents.refusals.append(Refusal(place: "line \(number + 1)", reason: error.reason))
            }
        }
        return contents
    }

    /// Reads the indicators of a STIX bundle, or one indicator.
    ///
    /// - Returns: `nil` if the JSON is something else.
    public static func indicators(inJSON json: [UInt8]) -> Contents? {
        StixReader.contents(of: json)
    }

    private static func rule(_ text: String) throws(Unreadable) -> ReadRule {
        if text.hasPrefix("rule ") { return try YaraReader.rule(text) }
        if text.hasPrefix("Epitope.Signature-") { return try ClamAVReader.rule(text) }
        if ["alert ", "drop "].contains(where: text.hasPrefix) { return try networkRule(text) }
        throw Unreadable("it begins like no rule that Epitope writes: \(text.prefix(Unreadable.maxQuote))")
    }

    private static func networkRule(_ text: String) throws(Unreadable) -> ReadRule {
        // Snort 3 has a comma where the others have a semicolon. A rule without modifiers is the same in all.
        let isSnort3 = text.contains("|\",")
        // Only the names of buffers tell Snort 2's rules from Suricata's.
        let isSnort2 = !isSnort3 && ["; http_uri;", "; http_client_body;", "; file_data;"].contains(where: text.contains)
        let rule: SuricataRule
        do throws(EpitopeError) {
            rule = try RuleSyntax.check(text, isSnort3 ? .snort3 : isSnort2 ? .snort2 : .suricata, sids: SIDRange.possible)
        } catch {
            throw Unreadable(error.message)
        }
        return ReadRule(
            signature: try RunReader.signature(of: rule), language: isSnort3 ? .snort3 : isSnort2 ? .snort2 : .suricata,
            namedID: rule.metadata.signatureID)
    }
}

/// Why a rule is not one of Epitope's.
struct Unreadable: Error {
    /// In characters: how much of a rule is quoted.
    static let maxQuote = 80

    var reason: String

    init(_ reason: String) { self.reason = reason }
}

extension StringProtocol {
    /// Without blanks at both ends.
    var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    /// What stands between a beginning and an end, both of which must be there.
    func between(_ start: String, _ end: String) -> String? {
        guard hasPrefix(start), hasSuffix(end), count >= start.count + end.count else { return nil }
        return String(dropFirst(start.count).dropLast(end.count))
    }
}
