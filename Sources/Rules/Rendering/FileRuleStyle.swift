// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The style of YARA rules: strings of at least four bytes with good atoms, and a condition that can be met.
struct YaraStyle {
    private(set) var findings: [RuleStyle.Finding] = []

    init(_ text: String) {
        let lines = text.split(separator: "\n").map { String($0.drop { $0 == " " }) }
        let name = lines.first?.split(separator: " ").dropFirst().first ?? ""
        if !(lines.first?.hasPrefix("rule ") ?? false) || name.isEmpty || name.utf8.count > 128
            || !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) || name.first?.isNumber == true
        {
            findings.append(.init("name", "no rule name that YARA takes"))
        }
        for key in ["description", "date", "id"] where !lines.contains(where: { $0.hasPrefix("\(key) = \"") }) {
            findings.append(.init("meta", "no \(key) in meta"))
        }
        let strings = lines.filter { $0.hasPrefix("$") && $0.hasSuffix("}") }
        if strings.isEmpty { findings.append(.init("strings", "no strings")) }
        for string in strings { check(string) }
        let condition = lines.drop { $0 != "condition:" }.dropFirst().first ?? ""
        if condition.isEmpty || condition == "}" || condition == "false" {
            findings.append(.init("condition", "no condition that can be met"))
        }
        for string in strings where condition != "all of them" && !condition.contains(string.prefix { $0 != " " }) {
            findings.append(.init("condition", "\(string.prefix { $0 != " " }) is not in the condition"))
        }
        if let range = condition.split(separator: "(").last?.split(separator: ")").first?.split(separator: "."), range.count == 2,
            let low = Int(range[0]), let high = Int(range[1]), low > high
        {
            findings.append(.init("condition", "a range without a place in it"))
        }
    }

    private mutating func check(_ string: String) {
        let body = string.drop { $0 != "{" }.dropFirst().dropLast()
        var best = 0
        var isGood = false
        var jumps: [Substring] = []
        for word in body.split(separator: " ") {
            if word.hasPrefix("[") {
                jumps.append(word)
            } else if let run = Hex.decode(word) {
                best = max(best, run.count)
                isGood = isGood || YaraPart.hasGoodAtom(run)
            } else {
                findings.append(.init("strings", "neither bytes nor a jump: \(word.prefix(60))"))
            }
        }
        if best < YaraRendering.atomLength {
            findings.append(.init("atom", "fewer than \(YaraRendering.atomLength) fixed bytes in a row"))
        } else if !isGood {
            findings.append(.init("atom", "only fill to look for"))
        }
        for jump in jumps {
            let bounds = jump.dropFirst().dropLast().split(separator: "-", omittingEmptySubsequences: false)
            if bounds.isEmpty || bounds.count > 2 || Int(bounds[0]) == nil { findings.append(.init("jump", "no jump: \(jump)")) }
            if bounds.count == 2, let low = Int(bounds[0]), let high = Int(bounds[1]), low > high {
                findings.append(.init("unmatchable", "a jump without a length: \(jump)"))
            }
        }
    }
}

/// ClamAV's limits: the names of signatures, two fixed bytes in a row in every part, at most 64 subsignatures.
enum ClamAVStyle {
    static func extended(_ text: String) -> [RuleStyle.Finding] {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 4 else { return [.init("fields", "not: name:target:offset:bytes")] }
        return name(fields[0]) + (UInt8(fields[1]) == nil ? [.init("target", "no type of file: \(fields[1])")] : [])
            + offset(fields[2]) + body(fields[3])
    }

    static func logical(_ text: String) -> [RuleStyle.Finding] {
        let fields = text.split(separator: ";", omittingEmptySubsequences: false)
        guard fields.count >= 4 else { return [.init("fields", "not: name;block;expression;subsignatures")] }
        var findings = name(fields[0])
        if !fields[1].hasPrefix("Engine:") { findings.append(.init("engine", "Engine does not come first in the block")) }
        if !fields[1].contains("Target:") { findings.append(.init("target", "no Target in the block")) }
        let subsignatures = fields.dropFirst(3)
        if subsignatures.count > ClamAVLogicalRendering.mostSubsignatures {
            findings.append(.init("subsignatures", "\(subsignatures.count), at most 64"))
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
        return isGood ? [] : [.init("name", "no name that ClamAV takes: \(name.prefix(60))")]
    }

    private static func offset(_ text: Substring) -> [RuleStyle.Finding] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false)
        return text == "*" || (1...2).contains(numbers.count) && numbers.allSatisfy { UInt32($0) != nil }
            ? [] : [.init("offset", "no offset: \(text.prefix(60))")]
    }

    private static func body(_ text: Substring) -> [RuleStyle.Finding] {
        var findings: [RuleStyle.Finding] = []
        for part in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "*" || $0 == "}" }) {
            let pieces = part.split(separator: "{", omittingEmptySubsequences: false)
            if pieces.count > 1, pieces[1].contains(where: { !$0.isNumber && $0 != "-" }) {
                findings.append(.init("jump", "no jump: {\(pieces[1].prefix(60))}"))
            }
            let runs = pieces[0].replacing("??", with: " ").split(separator: " ")
            if runs.contains(where: { Hex.decode($0) == nil }) {
                findings.append(.init("bytes", "not hexadecimal: \(pieces[0].prefix(60))"))
            }
            if !runs.contains(where: { $0.utf8.count >= 2 * ClamAVBody.shortestAnchor }) {
                findings.append(.init("anchor", "fewer than \(ClamAVBody.shortestAnchor) fixed bytes in a row: \(pieces[0].prefix(60))"))
            }
        }
        return findings
    }
}
