// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A sequence as strings of its own, whose positions the condition compares:
///
///     for any i0 in (1..#t0) : (for any i1 in (1..#t1) : (@t1[i1] >= @t0[i0] + 9 and @t1[i1] <= @t0[i0] + 20
///     and $t2 in (@t1[i1] + 5..@t1[i1] + 60)))
///
/// Unlike jumps, this finds a match behind a first try that fails, in every version of YARA. It costs a look at each pair of
/// neighbours' occurrences.
struct YaraPositions {
    /// How many loops YARA accepts inside of one another (YR_MAX_LOOP_NESTING).
    static let maxLoops = 4

    /// The strings' bodies, in order.
    private(set) var strings: [String] = []
    private(set) var condition = ""

    /// Runs at exact distances, which one string can express; the last one also a distance that varies.
    private struct Group {
        var place: RenderedRun.Place
        var body: String
        /// In bytes: from its start to the end of its last exact run.
        var length: Int
        var part: YaraPart

        init(_ run: RenderedRun) {
            place = run.place
            body = Hex.encode(run.bytes)
            length = run.bytes.count
            part = YaraPart(run.bytes)
        }

        mutating func append(_ run: RenderedRun, after gap: ClosedRange<Int>) {
            body += " \(YaraPart.jump(gap)) \(Hex.encode(run.bytes))"
            length += gap.upperBound + run.bytes.count
            part.append(run.bytes, after: gap)
        }
    }

    /// - Throws: ``EpitopeError/Code/signatureUnrenderable`` if there are more distances that vary than YARA has loops.
    init(_ runs: [RenderedRun], _ signature: Signature) throws(EpitopeError) {
        var groups: [Group] = []
        for (index, run) in runs.enumerated() {
            let isLast = index == runs.count - 1
            if case .after(let gap?) = run.place, YaraPart.isInner(gap), isLast || gap.lowerBound == gap.upperBound {
                groups[groups.count - 1].append(run, after: gap)
            } else {
                groups.append(Group(run))
            }
        }
        try YaraRendering.check(groups.map(\.part), signature)
        guard groups.count <= Self.maxLoops + 1 else {
            throw RenderedRun.unrenderable(
                signature, "YARA can't compare the positions of \(groups.count) tokens at varying distances, only of \(Self.maxLoops + 1)")
        }
        strings = groups.map(\.body)
        condition = Self.condition(of: groups)
    }

    private static func condition(of groups: [Group]) -> String {
        var text = ""
        for index in groups.indices.dropLast() {
            let here = "@t\(index)[i\(index)]"
            text += "for any i\(index) in (1..#t\(index)) : ("
            if index > 0 {
                let reach = reach(groups[index], behind: groups[index - 1], index - 1)
                text += "\(here) >= \(reach.low) and "
                if let high = reach.high { text += "\(here) <= \(high) and " }
            } else if case .fromStart(let gap) = groups[0].place {
                text += "\(here) >= \(gap.lowerBound) and "
                if gap.upperBound < RenderedRun.endless { text += "\(here) <= \(gap.upperBound) and " }
            }
        }
        let last = groups.count - 1
        guard last > 0 else { return "$t0" }
        let reach = reach(groups[last], behind: groups[last - 1], last - 1)
        return text + "$t\(last) in (\(reach.low)..\(reach.high ?? "filesize"))" + String(repeating: ")", count: last)
    }

    /// Where a group may begin, as expressions; no `high` for anywhere behind.
    private static func reach(_ group: Group, behind previous: Group, _ index: Int) -> (low: String, high: String?) {
        guard case .after(let gap) = group.place else { return ("0", nil) }
        func position(_ distance: Int) -> String { "@t\(index)[i\(index)] + \(previous.length + distance)" }
        let isBounded = gap.map { $0.upperBound < RenderedRun.endless } ?? false
        return (position(gap?.lowerBound ?? 0), isBounded ? gap.map { position($0.upperBound) } : nil)
    }
}
