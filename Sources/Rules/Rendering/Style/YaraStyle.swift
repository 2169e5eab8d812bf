// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The style of YARA rules: strings of at least four bytes with good atoms, and a condition that can be met.
struct YaraStyle {
    /// In bytes: YARA's limit for identifiers.
    private static let maxNameBytes = 128
    /// In characters: how much of a text is quoted in a finding.
    private static let maxQuote = 60

    private(set) var findings: [RuleStyle.Finding] = []

    init(_ text: String) {
        let lines = text.split(separator: "\n").map { String($0.drop { $0 == " " }) }
        let strings = lines.filter { $0.hasPrefix("$") && $0.hasSuffix("}") }
        let condition = lines.drop { $0 != "condition:" }.dropFirst().first ?? ""
        checkName(lines.first ?? "")
        checkMetadata(lines)
        if strings.isEmpty { add("strings", "no strings") }
        for string in strings { checkString(string) }
        checkCondition(condition, strings: strings)
    }

    private mutating func add(_ name: String, _ detail: String) {
        findings.append(RuleStyle.Finding(name, detail))
    }

    private mutating func checkName(_ line: String) {
        let name = line.split(separator: " ").dropFirst().first ?? ""
        let isIdentifier = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } && name.first?.isNumber == false
        if !line.hasPrefix("rule ") || !isIdentifier || name.utf8.count > Self.maxNameBytes {
            add("name", "YARA does not accept the rule's name")
        }
    }

    private mutating func checkMetadata(_ lines: [String]) {
        for key in ["description", "date", "id"] where !lines.contains(where: { $0.hasPrefix("\(key) = \"") }) {
            add("meta", "no \(key) in meta")
        }
    }

    private mutating func checkString(_ string: String) {
        var longest = 0
        var isGood = false
        var jumps: [Substring] = []
        for word in string.drop(while: { $0 != "{" }).dropFirst().dropLast().split(separator: " ") {
            if word.hasPrefix("[") {
                jumps.append(word)
            } else if let run = Hex.decode(word) {
                longest = max(longest, run.count)
                isGood = isGood || YaraPart.hasGoodAtom(run)
            } else {
                add("strings", "neither bytes nor a jump: \(word.prefix(Self.maxQuote))")
            }
        }
        if longest < YaraRendering.atomLength {
            add("atom", "fewer than \(YaraRendering.atomLength) fixed bytes in a row")
        } else if !isGood {
            add("atom", "the fixed bytes are all alike")
        }
        for jump in jumps { checkJump(jump) }
    }

    private mutating func checkJump(_ jump: Substring) {
        let bounds = jump.dropFirst().dropLast().split(separator: "-", omittingEmptySubsequences: false)
        if bounds.isEmpty || bounds.count > 2 || Int(bounds[0]) == nil { add("jump", "not a jump: \(jump)") }
        if bounds.count == 2, let low = Int(bounds[0]), let high = Int(bounds[1]), low > high {
            add("unmatchable", "a jump whose bounds are the wrong way round: \(jump)")
        }
    }

    private mutating func checkCondition(_ condition: String, strings: [String]) {
        if condition.isEmpty || condition == "}" || condition == "false" { add("condition", "no condition that can be met") }
        for name in strings.map({ $0.prefix { $0 != " " } })
        where condition != "all of them" && !condition.contains(name)
            && !condition.contains("#\(name.dropFirst())")
        {
            add("condition", "\(name) is not in the condition")
        }
        if let range = condition.split(separator: "(").last?.split(separator: ")").first?.split(separator: "."), range.count == 2,
            let low = Int(range[0]), let high = Int(range[1]), low > high
        {
            add("condition", "an empty range of positions")
        }
    }
}
