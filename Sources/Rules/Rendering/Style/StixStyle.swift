// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The requirements of STIX 2.1 for an indicator (specification, section 4.7).
enum StixStyle {
    private struct Indicator: Decodable {
        let type, spec_version, id, created, modified, pattern, pattern_type, valid_from: String
        let valid_until: String?
    }

    static func findings(_ text: String) -> [RuleStyle.Finding] {
        guard let indicator = try? JSONDecoder().decode(Indicator.self, from: Data(text.utf8)) else {
            return [.init("properties", "not a JSON object with the properties of an indicator")]
        }
        var findings: [RuleStyle.Finding] = []
        if indicator.type != "indicator" || indicator.spec_version != "2.1" || indicator.pattern_type != "stix" {
            findings.append(.init("type", "not a STIX 2.1 indicator with a STIX pattern"))
        }
        let id = indicator.id.split(separator: "-").map(\.utf8.count)
        if !indicator.id.hasPrefix("indicator--") || id != [9, 8, 4, 4, 4, 12] {
            findings.append(.init("id", "not an identifier of an indicator"))
        }
        for time in [indicator.created, indicator.modified, indicator.valid_from] + (indicator.valid_until.map { [$0] } ?? [])
        where time.utf8.count != 24 || !time.hasSuffix("Z") {
            findings.append(.init("time", "not a time in UTC: \(time.prefix(40))"))
        }
        // Times of this form sort like their texts.
        if indicator.modified < indicator.created { findings.append(.init("time", "modified before it was created")) }
        if let end = indicator.valid_until, end <= indicator.valid_from { findings.append(.init("time", "it expires before it is valid")) }
        if !indicator.pattern.hasPrefix("[") || !indicator.pattern.hasSuffix("]") || !indicator.pattern.contains(" MATCHES '") {
            findings.append(.init("pattern", "not an observation that matches a payload"))
        }
        return findings
    }
}
