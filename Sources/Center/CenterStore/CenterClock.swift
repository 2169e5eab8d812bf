// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A center's clock, which tests can move.
public struct CenterClock: Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z, with their fraction.
    public var preciseMilliseconds: @Sendable () -> Double

    /// Whether that time is in doubt: nothing is removed, and nothing ends, by it.
    public var isDoubtful: @Sendable () -> Bool

    public init(preciseMilliseconds: @escaping @Sendable () -> Double, isDoubtful: @escaping @Sendable () -> Bool = { false }) {
        self.preciseMilliseconds = preciseMilliseconds
        self.isDoubtful = isDoubtful
    }

    /// The machine's clock.
    public static let system = CenterClock(preciseMilliseconds: { Date().timeIntervalSince1970 * 1000 })

    /// Whole milliseconds since 1970-01-01T00:00:00Z.
    public var nowMilliseconds: Int64 {
        // A clock beyond the range of Int64 can't be had from the system; a test's is its own fault.
        Int64(preciseMilliseconds().rounded(.down))
    }
}
