// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Scheduling

/// When a certificate is renewed: once two thirds of its time are over. A third is left for attempts that fail.
struct RenewalSchedule: Hashable, Sendable {
    /// Between attempts that fail: a minute at first, at last half a day to a day.
    static let retries = Backoff(initial: .seconds(60), maximum: .days(1))
    /// The hosts of a site may have been enrolled at once: each waits for its own part of this time.
    static let maxSpreadMilliseconds: Int64 = Duration.days(1).inMilliseconds

    /// This program's part of the spread, from 0 to 1.
    let spread: Double

    /// From when on a certificate is renewed.
    func dueMilliseconds(beginsMilliseconds: Int64, expiresMilliseconds: Int64) -> Int64 {
        let third = max(0, expiresMilliseconds - beginsMilliseconds) / 3
        let part = Double(min(Self.maxSpreadMilliseconds, third / 4)) * min(max(0, spread), 1)
        return beginsMilliseconds + 2 * third + Int64(part)
    }

    /// Whether a certificate is to be renewed now.
    func isDue(_ identity: StoredIdentity, nowMilliseconds: Int64) -> Bool {
        nowMilliseconds
            > dueMilliseconds(beginsMilliseconds: identity.beginsMilliseconds, expiresMilliseconds: identity.expiresMilliseconds)
    }

    /// How long to wait after a failure: not beyond a tenth of what is left, so that a short-lived certificate is renewed in
    /// time, too.
    func delay(_ delay: Duration, expiresMilliseconds: Int64, nowMilliseconds: Int64) -> Duration {
        let left = Duration.milliseconds(max(0, expiresMilliseconds - nowMilliseconds) / 10)
        return min(delay, max(left, Self.retries.initial))
    }
}
