// SPDX-License-Identifier: Apache-2.0

/// What is done with an event of a kind of which a destination was told a little ago: the first is told at once, and those that come
/// within a window are told together at its end. So a flood makes one message a window and kind.
public enum RepeatWindow {
    /// What becomes of an event.
    public enum Decision: Hashable, Sendable {
        /// It is told now; until then repeats are gathered.
        case tell(windowUntil: Int64)
        /// It begins what is told together, at that time; until the second one repeats are gathered again.
        case gather(due: Int64, windowUntil: Int64)
        /// It is added to what waits to be told together.
        case join
    }

    /// - Parameters:
    ///   - length: of the window, in milliseconds; 0: each event is told by itself.
    ///   - until: the end of the window that the last notice of the kind has begun; `nil`: there is none.
    ///   - isGathering: whether some wait already to be told together.
    ///   - now: by the same clock. One that was set back by more than a window ends it.
    public static func decide(length: Int64, until: Int64?, isGathering: Bool, now: Int64) -> Decision {
        guard length > 0 else { return .tell(windowUntil: now) }
        if isGathering { return .join }
        guard let until, now < until, until - now <= 2 * length else { return .tell(windowUntil: now + length) }
        return .gather(due: until, windowUntil: until + length)
    }
}
