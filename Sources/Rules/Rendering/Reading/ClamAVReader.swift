// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// Reads the extended (`.ndb`) and logical (`.ldb`) signatures that Epitope writes for ClamAV.
enum ClamAVReader {
    private static let idDigits = 32

    static func rule(_ text: String) throws(Unreadable) -> RuleReader.ReadRule {
        let fields = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        if fields.count == 1 { return try extended(text) }
        guard fields.count >= 4, fields[1] == ClamAVLogicalRendering.block else {
            throw Unreadable("it is not one of Epitope's forms of logical signatures: \(text.prefix(Unreadable.maxQuote))")
        }
        let bodies = fields.dropFirst(3)
        guard fields[2] == ClamAVLogicalRendering.expression(bodies.count) else {
            throw Unreadable("its expression does not ask for every part: \(fields[2].prefix(Unreadable.maxQuote))")
        }
        var runs: [RenderedRun] = []
        for body in bodies {
            let parts = body.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count <= 2 else { throw Unreadable("not an offset and bytes: \(body.prefix(Unreadable.maxQuote))") }
            runs += try Self.runs(parts[parts.count - 1], offset: parts.count == 2 ? parts[0] : nil)
        }
        return RuleReader.ReadRule(
            signature: try RunReader.signature(of: runs, context: .any), language: .clamavLDB, namedID: try id(fields[0]))
    }

    private static func extended(_ text: String) throws(Unreadable) -> RuleReader.ReadRule {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 4, fields[1] == "0" else {
            throw Unreadable("it is not one of Epitope's forms of ClamAV's signatures: \(text.prefix(Unreadable.maxQuote))")
        }
        let runs = try Self.runs(fields[3], offset: fields[2] == "*" ? nil : fields[2])
        return RuleReader.ReadRule(
            signature: try RunReader.signature(of: runs, context: .any), language: .clamavNDB, namedID: try id(fields[0]))
    }

    /// `Epitope.Signature-ID-REVISION`.
    private static func id(_ name: String) throws(Unreadable) -> String {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "Epitope.Signature", parts[1].utf8.count == idDigits, Hex.decode(parts[1]) != nil,
            Int(parts[2]).map({ $0 > 0 }) == true
        else { throw Unreadable("its name is not one that Epitope gives: \(name.prefix(Unreadable.maxQuote))") }
        return String(parts[1])
    }

    private static func runs(_ body: String, offset: String?) throws(Unreadable) -> [RenderedRun] {
        var scanner = PatternScanner(body)
        var runs: [RenderedRun] = []
        var place = try offset.map { text throws(Unreadable) in try Self.place(text) } ?? .anywhere
        while true {
            guard let bytes = scanner.hexadecimal() else {
                throw Unreadable("not bytes in hexadecimal: \(body.prefix(Unreadable.maxQuote))")
            }
            runs.append(RenderedRun(bytes: bytes, place: place))
            if scanner.isAtEnd { return runs }
            place = .after(try gap(&scanner, body))
        }
    }

    /// `??` for each byte, `{n}`, `{n-m}`, `{n-}`, or `*`.
    private static func gap(_ scanner: inout PatternScanner, _ body: String) throws(Unreadable) -> ClosedRange<Int>? {
        if scanner.take("*") { return nil }
        if scanner.take("{"), let gap = scanner.gap(separator: "-"), scanner.take("}") { return gap.bounds }
        var count = 0
        while scanner.take("??") { count += 1 }
        guard count > 0 else { throw Unreadable("not a gap as Epitope writes it: \(body.prefix(Unreadable.maxQuote))") }
        return count...count
    }

    /// `n`, or `n,shift`.
    private static func place(_ offset: String) throws(Unreadable) -> RenderedRun.Place {
        var scanner = PatternScanner(offset)
        if let low = scanner.number() {
            if scanner.isAtEnd { return .fromStart(low...low) }
            if scanner.take(","), let shift = scanner.number(), scanner.isAtEnd { return .fromStart(low...low + shift) }
        }
        throw Unreadable("not an offset: \(offset.prefix(Unreadable.maxQuote))")
    }
}
