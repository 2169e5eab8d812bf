// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The style of Suricata's and Snort's rules.
struct NetworkRuleStyle {
    private(set) var findings: [RuleStyle.Finding] = []

    /// - Parameter separator: separates a content from its modifiers; `nil` if these are separate options.
    init(_ text: String, separator: Character?) {
        if text.utf8.count > SuricataRule.maxLength { add("length", "\(text.utf8.count) bytes, at most \(SuricataRule.maxLength)") }
        if text.contains(where: \.isNewline) { add("line", "a rule is one line") }
        guard let open = text.firstIndex(of: "("), text.hasSuffix(";)") else {
            add("options", "the options are not in ( ;)")
            return
        }
        let header = text[..<open].split(separator: " ").map(String.init)
        var options = Self.parts(text[text.index(after: open)...].dropLast(1), at: ";")
        if let separator {
            // Modifiers as separate options: `distance 4` is `distance:4`.
            options = options.flatMap { option in
                guard option.hasPrefix("content:") else { return [option] }
                return Self.parts(option[...], at: separator).map { $0.hasPrefix("content:") ? $0 : $0.replacing(" ", with: ":") }
            }
        }
        checkHeader(header, options)
        checkOrder(options.map { String($0.prefix { $0 != ":" }) })
        checkContents(options)
        checkNumbers(options)
    }

    private mutating func add(_ name: String, _ detail: String) {
        findings.append(RuleStyle.Finding(name, detail))
    }

    private mutating func checkHeader(_ header: [String], _ options: [String]) {
        guard header.count == 7, header[4] == "->" else { return add("header", "not: action protocol source port -> destination port") }
        if header[1] == "ip", header[3] != "any" || header[6] != "any" { add("ports", "ports without a protocol that has ports") }
        let hasFlow = options.contains { $0.hasPrefix("flow:") }
        if header[1] == "tcp", !hasFlow { add("flow", "a TCP rule without flow") }
        if header[1] != "tcp", hasFlow { add("flow", "flow in a rule that is not about TCP") }
        if header[1] != "udp", options.contains(where: { $0.hasPrefix("dsize:") }) { add("dsize", "dsize in a rule that is not about UDP") }
    }

    private mutating func checkOrder(_ names: [String]) {
        if names.first != "msg" { add("order", "msg does not come first") }
        if names.suffix(3) != ["classtype", "sid", "rev"] { add("order", "classtype, sid and rev do not come last") }
        for name in ["msg", "metadata", "classtype", "sid", "rev"] where names.filter({ $0 == name }).count != 1 {
            add("once", "\(name) does not occur once")
        }
        if names.filter({ $0 == "fast_pattern" }).count != 1 { add("fast-pattern", "not exactly one content is the fast pattern") }
        if let metadata = names.firstIndex(of: "metadata"), let content = names.lastIndex(of: "content"), metadata < content {
            add("order", "metadata is before a content")
        }
    }

    private mutating func checkContents(_ options: [String]) {
        var length: Int?
        for option in options {
            let parts = option.split(separator: ":", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? Int(parts[1]) : nil
            switch parts[0] {
            case "content":
                if length == nil,
                    options.first(where: { $0.hasPrefix("distance:") || $0.hasPrefix("content:") })?.hasPrefix("distance") == true
                {
                    add("distance", "distance before any content")
                }
                let digits = option.split(separator: "|").dropFirst().first?.split(separator: " ") ?? []
                length = digits.count
                if digits.isEmpty || digits.contains(where: { Hex.decode($0)?.count != 1 }) {
                    add("content", "not bytes in hexadecimal: \(option.prefix(60))")
                }
            case "within", "depth":
                if let value, value < (length ?? 0) { add("unmatchable", "\(option) is shorter than its content") }
            default: break
            }
        }
        if length == nil { add("content", "there is no content") }
    }

    private mutating func checkNumbers(_ options: [String]) {
        func number(_ name: String) -> Int? { options.first { $0.hasPrefix(name + ":") }.flatMap { Int($0.dropFirst(name.count + 1)) } }
        if !(number("sid").map { (Int(SIDRange.all.lowerBound)...Int(SIDRange.all.upperBound)).contains($0) } ?? false) {
            add("sid", "sid is not in Epitope's range")
        }
        if (number("rev") ?? 0) < 1 { add("rev", "rev does not count from 1") }
    }

    /// Splits at a character outside of quotes, and trims leading spaces.
    private static func parts(_ text: Substring, at separator: Character) -> [String] {
        var parts = [""]
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == separator, !isQuoted {
                parts.append("")
                continue
            }
            if character == " ", parts[parts.count - 1].isEmpty { continue }
            parts[parts.count - 1].append(character)
        }
        return parts.filter { !$0.isEmpty }
    }
}
