// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures

extension FuzzParser {
    /// Files of rules in the languages that are lines of text.
    static let ruleFiles = FuzzParser(
        name: "rule-files", what: "rules of Suricata, Snort, YARA, ClamAV read back, matched, rendered",
        dictionary: [
            "|\",", ",offset ", ",depth ", ",distance ", ",within ", ",fast_pattern", "; ", "rule Epitope_", "\n}", "strings:",
            "condition:",
            "$t0 = { ", " }", "[1-]", "[0-4294967295]", "[9-1]", "all of them", "$t0 at ", "$t0 in (", "..", "??", "{", "}", "{-}", "*",
            ":",
            ";Engine:81-255,Target:0;", "0&1", "#", "//", "18446744073709551616", "\r\n", "\u{0}", "é",
        ].map { Array($0.utf8) },
        seeds: { _ in try seeds(RuleLanguage.allCases.filter { $0 != .stix }) },
        run: { input, _ in try use(RuleReader.rules(in: String(decoding: input, as: UTF8.self))) })

    /// STIX bundles, which may come from anybody.
    static let stix = FuzzParser(
        name: "stix", what: "STIX bundles and indicators read back, matched, rendered",
        dictionary: JSONWords.all
            + [
                "\"type\":\"bundle\"", "\"objects\":[", " AND ", " MATCHES '", "(?s)", "\\\\\\\\x", "\\\\\\\\A", ".*?", ".{", "}?", ",}?",
                "[artifact:payload_bin", "network-traffic:dst_port IN (", "'",
            ].map { Array($0.utf8) },
        seeds: { _ in try seeds([.stix]) },
        run: { input, _ in
            guard let contents = RuleReader.indicators(inJSON: input) else { throw Refusal("no-stix") }
            try use(contents)
        })

    private static func seeds(_ languages: [RuleLanguage]) throws -> [[UInt8]] {
        var files: [[UInt8]] = []
        for language in languages {
            for signature in SignatureSeeds.signatures {
                let input = RuleInput(signature: signature, sid: SIDRange.all.lowerBound, createdMilliseconds: 1_700_000_000_000)
                // Not every language can say every signature.
                if let text = try? language.rendering.file(of: [input, input]) { files.append(Array(text.utf8)) }
            }
        }
        return files
    }

    private static func use(_ contents: RuleReader.Contents) throws {
        for rule in contents.rules {
            guard rule.signature.fixedBytes > 0, rule.signature.canonical == rule.signature else {
                broken("a rule is no canonical signature")
            }
            try SignatureUse.exercise(rule.signature)
        }
        if contents.rules.isEmpty { throw Refusal(contents.refusals.isEmpty ? "no-rule" : "rule-refused") }
    }
}
