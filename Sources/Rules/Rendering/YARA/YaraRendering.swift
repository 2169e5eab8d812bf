// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Signatures

/// YARA 4: one hexadecimal string with jumps for a sequence, one string for each token of a conjunction. A sequence of several
/// distances that vary is several strings, and the condition compares their positions (``YaraPositions``).
public enum YaraRendering: SignatureRendering {
    /// YARA splits a string at longer jumps into parts that it searches for one by one (STRING_CHAINING_THRESHOLD).
    static let maxInnerJump = 200
    /// In bytes: how far YARA matches one such part (YR_RE_SCAN_LIMIT).
    static let maxPartBytes = 4096
    /// In bytes: YARA finds a part by an atom, four of its bytes in a row (YR_MAX_ATOM_LENGTH).
    static let atomLength = 4

    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let runs = try RenderedRun.runs(of: subject.signature)
        guard !needsPositions(runs) else {
            let positions = try YaraPositions(runs, subject.signature)
            return text(subject, positions.strings, positions.condition)
        }
        try check(parts(of: runs), subject.signature)
        var strings: [String] = []
        var place: RenderedRun.Place = .anywhere
        for (index, run) in runs.enumerated() {
            let digits = Hex.encode(run.bytes)
            if case .after(let gap) = run.place {
                strings[strings.count - 1] += " \(YaraPart.jump(gap)) \(digits)"
            } else {
                if index == 0 { place = run.place }
                strings.append(digits)
            }
        }
        return text(subject, strings, condition(place, strings.count))
    }

    /// Whether YARA would miss matches of the runs as one string: YARA before 4.5 does where two distances vary
    /// (VirusTotal/yara#2065), and every version remembers only one end of what it has found before a long jump.
    private static func needsPositions(_ runs: [RenderedRun]) -> Bool {
        var varying = 0
        for run in runs {
            guard case .after(let gap?) = run.place, gap.upperBound < RenderedRun.endless else { continue }
            if varying > 0, !YaraPart.isInner(gap) || gap.lowerBound != gap.upperBound { return true }
            if gap.lowerBound != gap.upperBound { varying += 1 }
        }
        return false
    }

    /// The parts that YARA splits the strings into.
    private static func parts(of runs: [RenderedRun]) -> [YaraPart] {
        var parts: [YaraPart] = []
        for run in runs {
            if case .after(let gap?) = run.place, YaraPart.isInner(gap), !parts.isEmpty {
                parts[parts.count - 1].append(run.bytes, after: gap)
            } else {
                parts.append(YaraPart(run.bytes))
            }
        }
        return parts
    }

    /// - Throws: ``EpitopeError/Code/signatureUnrenderable`` if YARA would search for one of the parts byte by byte, or not to
    ///   its end.
    static func check(_ parts: [YaraPart], _ signature: Signature) throws(EpitopeError) {
        guard parts.allSatisfy({ $0.hasGoodAtom && $0.longest <= maxPartBytes }) else {
            throw RenderedRun.unrenderable(
                signature,
                "YARA needs \(atomLength) fixed bytes in a row, not all alike, in every token, and at most \(maxPartBytes) bytes")
        }
    }

    private static func condition(_ place: RenderedRun.Place, _ count: Int) -> String {
        switch place {
        case .fromStart(let gap) where gap.lowerBound == gap.upperBound: "$t0 at \(gap.lowerBound)"
        case .fromStart(let gap): "$t0 in (\(gap.lowerBound)..\(gap.upperBound))"
        default: count == 1 ? "$t0" : "all of them"
        }
    }

    private static func text(_ subject: RuleInput, _ strings: [String], _ condition: String) -> String {
        var lines = ["rule Epitope_\(subject.signature.id)", "{", "    meta:"]
        let date = CalendarDay(ofMilliseconds: subject.createdMilliseconds).description
        let expires = CalendarDay(ofMilliseconds: subject.expiresMilliseconds).description
        for (key, value) in [
            ("description", quoted(RuleMessage.printable(subject.message))), ("date", "\"\(date)\""), ("expires", "\"\(expires)\""),
            ("id", "\"\(subject.signature.id)\""), ("revision", "\(subject.revision)"), ("origin", "\"\(subject.originName)\""),
        ] {
            lines.append("        \(key) = \(value)")
        }
        lines.append("    strings:")
        for (index, string) in strings.enumerated() { lines.append("        $t\(index) = { \(string) }") }
        return (lines + ["    condition:", "        \(condition)", "}"]).joined(separator: "\n")
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.map { "\\\"".contains($0) ? "\\\($0)" : String($0) }.joined() + "\""
    }
}

/// A part of a string that YARA searches for as one: runs with jumps of at most ``YaraRendering/maxInnerJump``.
struct YaraPart {
    private(set) var hasGoodAtom: Bool
    /// In bytes, of the longest match.
    private(set) var longest: Int

    init(_ run: [UInt8]) {
        hasGoodAtom = Self.hasGoodAtom(run)
        longest = run.count
    }

    mutating func append(_ run: [UInt8], after gap: ClosedRange<Int>) {
        hasGoodAtom = hasGoodAtom || Self.hasGoodAtom(run)
        longest += gap.upperBound + run.count
    }

    static func isInner(_ gap: ClosedRange<Int>?) -> Bool {
        gap.map { $0.upperBound <= YaraRendering.maxInnerJump } ?? false
    }

    static func jump(_ gap: ClosedRange<Int>?) -> String {
        guard let gap, gap.upperBound < Int(Int32.max) else { return "[\(gap?.lowerBound ?? 0)-]" }
        return gap.lowerBound == gap.upperBound ? "[\(gap.lowerBound)]" : "[\(gap.lowerBound)-\(gap.upperBound)]"
    }

    /// Whether there are four bytes in a row that are not all the same: fill is not a good atom.
    static func hasGoodAtom(_ run: [UInt8]) -> Bool {
        guard run.count >= YaraRendering.atomLength else { return false }
        return (0...run.count - YaraRendering.atomLength).contains { Set(run[$0..<$0 + YaraRendering.atomLength]).count > 1 }
    }
}
