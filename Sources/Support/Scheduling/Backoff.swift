// SPDX-License-Identifier: Apache-2.0

/// How long to wait before the next attempt at something that failed: exponential back-off with jitter. The wait doubles from
/// one failure to the next up to a bound, and is drawn at random between its half and the whole ("equal jitter"), so that the
/// clients of a service that comes back don't all come at once.
///
/// Source of the method: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
public struct Backoff: Hashable, Sendable {
    /// The wait after the first failure.
    public var initial: Duration
    /// No wait is longer.
    public var maximum: Duration

    public init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
    }

    /// The wait before the next attempt, without drawing.
    ///
    /// - Parameters:
    ///   - failures: how many attempts in a row have failed, at least 1.
    ///   - fraction: from 0 (half the wait) to 1 (the whole).
    public func delay(afterFailures failures: Int, fraction: Double) -> Duration {
        // Sixty doublings lie beyond every bound.
        let doublings = min(max(0, failures - 1), 60)
        var delay = initial
        for _ in 0..<doublings where delay < maximum { delay += delay }
        return min(delay, maximum) * (0.5 + 0.5 * min(max(0, fraction), 1))
    }
}

/// The failures in a row of attempts at one thing, and until when it is left alone.
public struct RetryState: Sendable {
    private let backoff: Backoff
    private var failures = 0
    private var until: ContinuousClock.Instant?

    public init(_ backoff: Backoff) {
        self.backoff = backoff
    }

    /// How long to wait yet before the next attempt; `nil`: it may be made.
    public var remaining: Duration? {
        guard let until, until > .now else { return nil }
        return until - .now
    }

    /// After the next failure the wait is as short as after the first.
    public mutating func succeeded() {
        failures = 0
        until = nil
    }

    /// Notes a failure.
    ///
    /// - Parameter least: for how long the other side asked to be left alone. The wait is spread beyond it: else all whom it told
    ///   the same come back at once.
    /// - Returns: how long to wait before the next attempt.
    @discardableResult
    public mutating func failed(atLeast least: Duration = .zero) -> Duration {
        failures += 1
        let delay = max(backoff.delay(afterFailures: failures, fraction: .random(in: 0...1)), least * Double.random(in: 1...1.5))
        until = .now + delay
        return delay
    }
}
