// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// Reads the YARA rules that ``YaraRendering`` writes.
enum YaraReader {
    /// - Parameter text: one rule, its lines without blanks before them.
    static func rule(_ text: String) throws(Unreadable) -> RuleReader.ReadRule {
        let lines = text.split(separator: "\n").map(String.init)
        guard lines.count > 4, let id = lines[0].between("rule Epitope_", ""), lines[1] == "{", lines[2] == "meta:", lines.last == "}",
            let strings = lines.firstIndex(of: "strings:"), let condition = lines.firstIndex(of: "condition:"), strings < condition,
            condition + 3 == lines.count
        else { throw Unreadable("it is not one of Epitope's forms of YARA rules: \(text.prefix(Unreadable.maxQuote))") }
        guard lines[3..<strings].contains("id = \"\(id)\"") else { throw Unreadable("its id is not the one of its name") }
        var groups: [[RenderedRun]] = []
        for (index, line) in lines[strings + 1..<condition].enumerated() {
            guard let body = line.between("$t\(index) = { ", " }") else { throw Unreadable("not one of Epitope's strings: \(line)") }
            groups.append(try runs(body))
        }
        let words = lines[condition + 1]
        if words.hasPrefix("for any ") {
            return RuleReader.ReadRule(
                signature: try RunReader.signature(of: try YaraPositionsReader.placed(groups, words), context: .any), language: .yara,
                namedID: id)
        }
        let isConjunction = groups.count > 1
        if isConjunction, words != "all of them" { throw Unreadable("its condition is not 'all of them'") }
        if !isConjunction, !groups.isEmpty { groups[0][0].place = try place(words) }
        return RuleReader.ReadRule(
            signature: try RunReader.signature(of: groups.flatMap { $0 }, context: .any), language: .yara, namedID: id)
    }

    /// The runs of a hexadecimal string: bytes, and jumps between them.
    private static func runs(_ body: String) throws(Unreadable) -> [RenderedRun] {
        var scanner = PatternScanner(body)
        var runs: [RenderedRun] = []
        var place = RenderedRun.Place.anywhere
        while true {
            guard let bytes = scanner.hexadecimal() else {
                throw Unreadable("not bytes in hexadecimal: \(body.prefix(Unreadable.maxQuote))")
            }
            runs.append(RenderedRun(bytes: bytes, place: place))
            if scanner.isAtEnd { return runs }
            guard scanner.take(" ["), let gap = scanner.gap(separator: "-"), scanner.take("] ") else {
                throw Unreadable("not a jump as Epitope writes it: \(body.prefix(Unreadable.maxQuote))")
            }
            place = .after(gap.bounds)
        }
    }

    private static func place(_ condition: String) throws(Unreadable) -> RenderedRun.Place {
        var scanner = PatternScanner(condition)
        let isNamed = scanner.take("$t0")
        if isNamed, scanner.isAtEnd { return .anywhere }
        if isNamed, scanner.take(" at "), let offset = scanner.number(), scanner.isAtEnd { return .fromStart(offset...offset) }
        if isNamed, scanner.take(" in ("), let low = scanner.number(), scanner.take(".."), let high = scanner.number(), low <= high,
            scanner.take(")"), scanner.isAtEnd
        {
            return .fromStart(low...high)
        }
        throw Unreadable("not a condition that Epitope writes: \(condition.prefix(Unreadable.maxQuote))")
    }
}
