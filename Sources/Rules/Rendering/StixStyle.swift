// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// What STIX 2.1 demands of an indicator (specification, section 4.7).
enum StixStyle {
    private struct Indicator: Decodable {
        let type, spec_version, id, created, modified, pattern, pattern_type, valid_from: String
        let valid_until: String?
    }

    static func findings(_ text: String) -> [RuleStyle.Finding] {
        guard let indicator = try? JSONDecoder().decode(Indicator.self, from: Data(text.utf8)) else {
            return [.init("properties", "no JSON object with the properties that an indicator must have")]
        }
        var findings: [RuleStyle.Finding] = []
        if indicator.type != "indicator" || indicator.spec_version != "2.1" || indicator.pattern_type != "stix" {
            findings.append(.init("type", "no STIX 2.1 indicator with a STIX pattern"))
        }
        let id = indicator.id.split(separator: "-").map(\.utf8.count)
        if !indicator.id.hasPrefix("indicator--") || id != [9, 8, 4, 4, 4, 12] {
            findings.append(.init("id", "no identifier of an indicator"))
        }
        for time in [indicator.created, indicator.modified, indicator.valid_from] + (indicator.valid_until.map { [$0] } ?? [])
        where time.utf8.count != 24 || !time.hasSuffix("Z") {
            findings.append(.init("time", "no time in UTC: \(time.prefix(40))"))
        }
        // Times of one shape sort as their texts do.
        if indicator.modified < indicator.created { findings.append(.init("time", "modified before it was created")) }
        if let end = indicator.valid_until, end <= indicator.valid_from { findings.append(.init("time", "valid until before it is valid")) }
        if !indicator.pattern.hasPrefix("[") || !indicator.pattern.hasSuffix("]") || !indicator.pattern.contains(" MATCHES '") {
            findings.append(.init("pattern", "no observation that matches a payload"))
        }
        return findings
    }
}
