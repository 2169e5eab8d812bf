// SPDX-License-Identifier: Apache-2.0

/// Reads the conditions that ``YaraPositions`` writes.
enum YaraPositionsReader {
    /// The runs of all strings, each string's first one at the place that the condition gives it.
    ///
    /// - Parameter groups: the runs of each string, none of them empty.
    static func placed(_ groups: [[RenderedRun]], _ condition: String) throws(Unreadable) -> [RenderedRun] {
        let unreadable = Unreadable("not a condition that Epitope writes: \(condition.prefix(Unreadable.maxQuote))")
        guard (2...YaraPositions.maxLoops + 1).contains(groups.count), groups.dropLast().allSatisfy({ length(of: $0) != nil }) else {
            throw unreadable
        }
        var groups = groups
        var scanner = PatternScanner(condition)
        let last = groups.count - 1
        for index in 0..<last {
            guard scanner.take("for any i\(index) in (1..#t\(index)) : (") else { throw unreadable }
            let here = "@t\(index)[i\(index)]"
            let origin = index > 0 ? "@t\(index - 1)[i\(index - 1)] + " : ""
            guard let low = scanner.bound("\(here) >= \(origin)", " and ") else {
                guard index == 0 else { throw unreadable }
                continue
            }
            let high = scanner.bound("\(here) <= \(origin)", " and ")
            groups[index][0].place = try place(low, high, behind: index > 0 ? groups[index - 1] : nil, unreadable)
        }
        let origin = "@t\(last - 1)[i\(last - 1)] + "
        guard scanner.take("$t\(last) in ("), let low = scanner.bound(origin, "..") else { throw unreadable }
        let high = scanner.bound(origin, ")")
        guard high != nil || scanner.take("filesize)"), scanner.take(String(repeating: ")", count: last)), scanner.isAtEnd else {
            throw unreadable
        }
        groups[last][0].place = try place(low, high, behind: groups[last - 1], unreadable)
        return groups.flatMap { $0 }
    }

    /// The place of a run that begins at `low` to `high`, counted from the start of the string before it.
    private static func place(
        _ low: Int, _ high: Int?, behind previous: [RenderedRun]?, _ unreadable: Unreadable
    ) throws(Unreadable) -> RenderedRun.Place {
        let length = previous.flatMap(length) ?? 0
        guard low >= length, low <= high ?? low else { throw unreadable }
        guard previous != nil else { return .fromStart(low...(high ?? RenderedRun.endless)) }
        guard let high else { return .after(low == length ? nil : low - length...RenderedRun.endless) }
        return .after(low - length...high - length)
    }

    /// In bytes; `nil` for a string of several lengths.
    private static func length(of group: [RenderedRun]) -> Int? {
        var length = 0
        for (index, run) in group.enumerated() {
            if index > 0 {
                guard case .after(let gap?) = run.place, gap.lowerBound == gap.upperBound else { return nil }
                length += gap.lowerBound
            }
            length += run.bytes.count
        }
        return length
    }
}

extension PatternScanner {
    /// A number between two texts.
    fileprivate mutating func bound(_ start: String, _ end: String) -> Int? {
        let before = self
        if take(start), let value = number(), take(end) { return value }
        self = before
        return nil
    }
}
