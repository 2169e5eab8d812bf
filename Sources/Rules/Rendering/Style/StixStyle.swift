// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The requirements of STIX 2.1 for a bundle of indicators (specification, sections 4.7 and 8).
enum StixStyle {
    private struct Bundle: Decodable {
        let type, id: String
        let objects: [Object]
    }

    private struct Object: Decodable {
        let type, spec_version, id, created, modified: String
        let created_by_ref, pattern, pattern_type, valid_from, valid_until: String?
    }

    static func findings(_ text: String) -> [RuleStyle.Finding] {
        guard let bundle = try? JSONDecoder().decode(Bundle.self, from: Data(text.utf8)), bundle.type == "bundle" else {
            return [.init("properties", "not a bundle of objects with the properties that all have")]
        }
        var findings: [RuleStyle.Finding] = []
        let indicators = bundle.objects.filter { $0.type != "identity" }
        if indicators.isEmpty { findings.append(.init("type", "a bundle without indicators")) }
        let known = Set(bundle.objects.map(\.id))
        for object in bundle.objects {
            if let maker = object.created_by_ref, !known.contains(maker) {
                findings.append(.init("reference", "it refers to what the bundle lacks: \(maker.prefix(60))"))
            }
        }
        return indicators.reduce(findings) { $0 + self.findings($1) }
    }

    private static func findings(_ indicator: Object) -> [RuleStyle.Finding] {
        var findings: [RuleStyle.Finding] = []
        guard let pattern = indicator.pattern, let validFrom = indicator.valid_from else {
            return [.init("type", "not an indicator: it has no pattern, or no time from which it is valid")]
        }
        if indicator.type != "indicator" || indicator.spec_version != "2.1" || indicator.pattern_type != "stix" {
            findings.append(.init("type", "not a STIX 2.1 indicator with a STIX pattern"))
        }
        let id = indicator.id.split(separator: "-").map(\.utf8.count)
        if !indicator.id.hasPrefix("indicator--") || id != [9, 8, 4, 4, 4, 12] {
            findings.append(.init("id", "not an identifier of an indicator"))
        }
        for time in [indicator.created, indicator.modified, validFrom] + (indicator.valid_until.map { [$0] } ?? [])
        where time.utf8.count != 24 || !time.hasSuffix("Z") {
            findings.append(.init("time", "not a time in UTC: \(time.prefix(40))"))
        }
        // Times of this form sort like their texts.
        if indicator.modified < indicator.created { findings.append(.init("time", "modified before it was created")) }
        if let end = indicator.valid_until, end <= validFrom { findings.append(.init("time", "it expires before it is valid")) }
        if !pattern.hasPrefix("[") || !pattern.hasSuffix("]") || !pattern.contains(" MATCHES '") {
            findings.append(.init("pattern", "not an observation that matches a payload"))
        }
        return findings
    }
}
