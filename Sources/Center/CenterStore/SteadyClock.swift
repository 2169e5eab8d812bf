// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Decides what time it is, when the machine's clock may have been set wrong: from that clock, and from how much time has passed by
/// one that can't be set.
///
/// A wall clock that jumps (a bad answer of a time server, a virtual machine that was put back, a battery that is empty) would
/// otherwise end every rule and remove every packet at once, and nothing of it comes back when the clock does. So a clock that
/// differs by more than ``tolerance`` from what it should show is not followed until it has done so for ``probation``; until then
/// time goes on from where it was.
public struct ClockBelief: Hashable, Sendable {
    /// By how much the clock may differ and is followed at once, in milliseconds: an hour.
    public static let tolerance = 3_600_000.0
    /// For how long a clock must show another time before it is believed, in milliseconds: an hour.
    public static let probation = 3_600_000.0

    /// The time that was taken for right, and the reading of the clock that can't be set with it.
    private var time: Double
    private var elapsed: Double
    /// Since when, by the clock that can't be set, the wall clock is not followed, and what it was off by then.
    private var disbelief: Disbelief?

    private struct Disbelief: Hashable, Sendable {
        var since: Double
        var offset: Double
    }

    /// Whether the wall clock is not followed now.
    public var isDisbelieving: Bool { disbelief != nil }

    /// - Parameters:
    ///   - time: what is known to be about right, in milliseconds since 1970.
    ///   - elapsed: the clock that can't be set, in milliseconds from any beginning.
    public init(time: Double, elapsed: Double) {
        self.time = time
        self.elapsed = elapsed
    }

    /// The time, in milliseconds since 1970.
    ///
    /// - Parameters:
    ///   - wall: what the machine's clock shows.
    ///   - now: the clock that can't be set.
    public mutating func time(wall: Double, elapsed now: Double) -> Double {
        let expected = time + max(0, now - elapsed)
        let offset = wall - expected
        if abs(offset) <= Self.tolerance {
            disbelief = nil
        } else if let disbelief, abs(offset - disbelief.offset) <= Self.tolerance {
            guard now - disbelief.since >= Self.probation else { return expected }
            self.disbelief = nil
        } else {
            // It jumped, or jumped again.
            disbelief = Disbelief(since: now, offset: offset)
            return expected
        }
        (time, elapsed) = (wall, now)
        return wall
    }
}

/// A center's clock by ``ClockBelief``.
public final class SteadyClock: Sendable {
    private let belief: Mutex<ClockBelief?>
    private let start = ContinuousClock.now
    private let wall: @Sendable () -> Double
    private let onDisbelief: @Sendable (String) -> Void

    /// - Parameter onDisbelief: told when the machine's clock is no longer followed, and when it is again, in a sentence.
    public init(
        wall: @escaping @Sendable () -> Double = CenterClock.system.preciseMilliseconds, onDisbelief: @escaping @Sendable (String) -> Void
    ) {
        belief = Mutex(nil)
        self.wall = wall
        self.onDisbelief = onDisbelief
    }

    /// Takes up where a store ended: a machine whose clock shows a time before its own last event, or more than a week after it, is
    /// believed only after a time.
    public func follow(last: Int64) {
        let (shown, elapsed) = (wall(), elapsed)
        let isPlausible = (-ClockBelief.tolerance...Self.longestRest).contains(shown - Double(last))
        belief.withLock { $0 = ClockBelief(time: isPlausible ? shown : Double(last), elapsed: elapsed) }
    }

    /// For how long a center is off without its clock being doubted, in milliseconds: a week.
    static let longestRest = 7 * 86_400_000.0

    /// This clock as a store takes it.
    public var clock: CenterClock { CenterClock(preciseMilliseconds: { self.milliseconds }, isDoubtful: { self.isDoubtful }) }

    /// Whether the machine's clock is not followed now.
    private var isDoubtful: Bool {
        _ = milliseconds
        return belief.withLock { $0?.isDisbelieving ?? false }
    }

    private var elapsed: Double { (ContinuousClock.now - start) / .milliseconds(1) }

    private var milliseconds: Double {
        let (shown, elapsed) = (wall(), elapsed)
        let (time, before, after) = belief.withLock { belief in
            var next = belief ?? ClockBelief(time: shown, elapsed: elapsed)
            let before = next.isDisbelieving
            let time = next.time(wall: shown, elapsed: elapsed)
            belief = next
            return (time, before, next.isDisbelieving)
        }
        if after, !before {
            onDisbelief(
                "this machine's clock is \(Int((shown - time) / 1000)) seconds from what it should show: "
                    + "it is not followed unless it stays so for an hour; nothing expires by it until then")
        } else if before, !after {
            onDisbelief("this machine's clock is followed again")
        }
        return time
    }
}
