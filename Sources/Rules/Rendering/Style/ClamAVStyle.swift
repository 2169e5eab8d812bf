// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// ClamAV's limits: the names of signatures, two fixed bytes in a row in every part, at most 64 subsignatures.
enum ClamAVStyle {
    /// In characters: how much of a text is quoted in a finding.
    private static let maxQuote = 60

    static func extended(_ text: String) -> [RuleStyle.Finding] {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 4 else { return [.init("fields", "not: name:target:offset:bytes")] }
        return name(fields[0]) + (UInt8(fields[1]) == nil ? [.init("target", "not a type of file: \(fields[1])")] : [])
            + offset(fields[2]) + body(fields[3])
    }

    static func logical(_ text: String) -> [RuleStyle.Finding] {
        let fields = text.split(separator: ";", omittingEmptySubsequences: false)
        guard fields.count >= 4 else { return [.init("fields", "not: name;block;expression;subsignatures")] }
        var findings = name(fields[0])
        if !fields[1].hasPrefix("Engine:") { findings.append(.init("engine", "Engine does not come first in the block")) }
        if !fields[1].contains("Target:") { findings.append(.init("target", "no Target in the block")) }
        let subsignatures = fields.dropFirst(3)
        if subsignatures.count > ClamAVLogicalRendering.maxSubsignatures {
            findings.append(.init("subsignatures", "\(subsignatures.count), at most \(ClamAVLogicalRendering.maxSubsignatures)"))
        }
        let used = fields[2].split { !$0.isNumber }.compactMap { Int($0) }
        if used != Array(0..<subsignatures.count) { findings.append(.init("expression", "it does not use each subsignature once")) }
        for subsignature in subsignatures {
            let parts = subsignature.split(separator: ":", omittingEmptySubsequences: false)
            if parts.count == 2 { findings += offset(parts[0]) }
            findings += body(parts[parts.count - 1])
        }
        return findings
    }

    private static func name(_ name: Substring) -> [RuleStyle.Finding] {
        let isGood = !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-_".contains($0)) }
        return isGood ? [] : [.init("name", "ClamAV does not accept the name: \(name.prefix(maxQuote))")]
    }

    private static func offset(_ text: Substring) -> [RuleStyle.Finding] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false)
        return text == "*" || (1...2).contains(numbers.count) && numbers.allSatisfy { UInt32($0) != nil }
            ? [] : [.init("offset", "not an offset: \(text.prefix(maxQuote))")]
    }

    private static func body(_ text: Substring) -> [RuleStyle.Finding] {
        var findings: [RuleStyle.Finding] = []
        for part in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "*" || $0 == "}" }) {
            let pieces = part.split(separator: "{", omittingEmptySubsequences: false)
            if pieces.count > 1, pieces[1].contains(where: { !$0.isNumber && $0 != "-" }) {
                findings.append(.init("jump", "not a jump: {\(pieces[1].prefix(maxQuote))}"))
            }
            let runs = pieces[0].replacing("??", with: " ").split(separator: " ")
            if runs.contains(where: { Hex.decode($0) == nil }) {
                findings.append(.init("bytes", "not hexadecimal: \(pieces[0].prefix(maxQuote))"))
            }
            if !runs.contains(where: { $0.utf8.count >= 2 * ClamAVBody.minAnchorBytes }) {
                findings.append(
                    .init("anchor", "fewer than \(ClamAVBody.minAnchorBytes) fixed bytes in a row: \(pieces[0].prefix(maxQuote))"))
            }
        }
        return findings
    }
}
