// SPDX-License-Identifier: Apache-2.0

/// The wait before the next attempt: doubled from one to the next up to a bound, and drawn at random between half and
/// the whole, so that the hosts of a site don't all come back to their center at once.
public struct Backoff: Hashable, Sendable {
    public var first: Duration
    public var longest: Duration

    public init(first: Duration = .milliseconds(200), longest: Duration = .seconds(60)) {
        self.first = first
        self.longest = longest
    }

    /// - Parameters:
    ///   - failures: how many attempts in a row have failed, at least 1.
    ///   - fraction: from 0 (half the wait) to 1 (the whole).
    func wait(afterFailures failures: Int, fraction: Double) -> Duration {
        // Sixty doublings lie beyond every bound.
        let doublings = min(max(0, failures - 1), 60)
        var wait = first
        for _ in 0..<doublings where wait < longest { wait += wait }
        return min(wait, longest) * (0.5 + 0.5 * min(max(0, fraction), 1))
    }
}
