// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering

extension FuzzParser {
    /// Lines of the rules file, which other programs may have changed.
    static let rules = FuzzParser(
        name: "rules", what: "Suricata rules: the strict check",
        dictionary: [
            "content:\"|", "|\"; ", "offset:", "depth:", "distance:", "within:", "fast_pattern; ", "; ", "\\", "\"", "any", "[", "]", ",",
            "dsize:>", "flow:", "metadata:epitope_signature ", "9223372036854775808", "65536", "-1", "00", "global-", "2026_02_31", "é",
            "\u{0}",
        ].map { Array($0.utf8) },
        seeds: { _ in
            let rules = try SignatureSeeds.updates.map { update in
                try SuricataRule(RuleInput(RuleAssignment(sid: SIDRange.all.lowerBound, update: update)), action: .drop).text
            }
            return rules.map { Array($0.utf8) }
        },
        run: { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            let rule = try RuleSyntax.check(text)
            guard rule.text == text else { broken("a rule is another than its text") }
        })
}
