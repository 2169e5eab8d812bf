// SPDX-License-Identifier: Apache-2.0

/// Decides which occurrence of a token can follow which of the token before it, by two pointers over their places, both of
/// which only go forward.
///
/// Places are asked for from the last token on, and only as many as are needed: of the token before, the last end that leaves
/// the least gap, which is the nearest, and the one behind it, which shows that it is the last.
struct SequenceWalk {
    /// The end of a partial match, with the start of its first token; no start before the first token.
    private struct End {
        var end: Int
        var start: Int?
    }

    /// One token with its partial matches up to the token before.
    private struct Stage {
        let bounds: ClosedRange<Int>
        /// After a gap without bounds the earliest end leaves the most room: no later one is needed.
        let isOpen: Bool
        /// Where the token is, not yet decided.
        var place: Int?
        /// The last end of the token before that is far enough before the place, or the first of all.
        var current: End?
        /// The end behind it.
        var next: End?
        /// Whether the token before has no more.
        var isLast = false
    }

    private enum Step {
        /// The token before is to give its next end.
        case ask
        case give(End)
        case end
    }

    static func match(_ places: inout [TokenPlaces], gaps: [ClosedRange<Int>?]) -> Range<Int>? {
        guard !places.isEmpty else { return nil }
        var stages = gaps.map { Stage(bounds: $0 ?? 0...Int(UInt32.max), isOpen: $0 == nil) }
        stages[0].current = End(end: 0)
        stages[0].isLast = true
        var index = stages.count - 1
        while true {
            let step = advance(&stages[index], &places[index])
            if case .ask = step {
                index -= 1
                continue
            }
            guard index + 1 < stages.count else {
                guard case .give(let whole) = step, let start = whole.start else { return nil }
                return start..<whole.end
            }
            index += 1
            guard case .give(let end) = step else {
                stages[index].isLast = true
                continue
            }
            if stages[index].current == nil { stages[index].current = end } else { stages[index].next = end }
        }
    }

    /// Goes on to the stage's next end, until one is found, there is none, or the token before has to go on first.
    private static func advance(_ stage: inout Stage, _ places: inout TokenPlaces) -> Step {
        while true {
            guard let place = stage.place ?? places.next() else { return .end }
            stage.place = place
            if let next = stage.next, next.end + stage.bounds.lowerBound <= place {
                (stage.current, stage.next) = (next, nil)
            }
            guard let current = stage.current else {
                if stage.isLast { return .end }
                return .ask
            }
            if stage.next == nil, !stage.isOpen, !stage.isLast { return .ask }
            let gap = place - current.end
            if gap > stage.bounds.upperBound, stage.next == nil, stage.isLast { return .end }
            stage.place = nil
            if gap >= stage.bounds.lowerBound, gap <= stage.bounds.upperBound {
                return .give(End(end: place + places.length, start: current.start ?? place))
            }
            // No end is near enough before it: the next place that any can be.
            if gap < stage.bounds.lowerBound { places.skip(to: current.end + stage.bounds.lowerBound) }
        }
    }
}
