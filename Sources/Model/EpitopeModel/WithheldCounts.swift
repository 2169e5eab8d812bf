// SPDX-License-Identifier: Apache-2.0

/// How many attacks a host noticed on a day and did not report: a host tells its center these counts, so that what its bounds
/// hold back does not pass unseen. The calls were answered as the policy says in any case.
public struct WithheldCounts: Hashable, Sendable, Codable {
    /// The day (UTC), in days since 1970-01-01.
    public var day: Int64
    /// Reports that were not made, because the same call had been reported just before, or too many came at once.
    public var suppressed: Int
    /// Packets that were beyond the day's quota. They wait for it, except those that were given up.
    public var overQuota: Int
    /// Packets that were given up, for ones that weigh more.
    public var givenUp: Int
    /// Reports that were lost: a full buffer, a full disk.
    public var lost: Int
    /// How many packets wait for the quota now.
    public var waiting: Int

    public init(day: Int64, suppressed: Int = 0, overQuota: Int = 0, givenUp: Int = 0, lost: Int = 0, waiting: Int = 0) {
        self.day = day
        self.suppressed = suppressed
        self.overQuota = overQuota
        self.givenUp = givenUp
        self.lost = lost
        self.waiting = waiting
    }

    /// Whether nothing was held back.
    public var isEmpty: Bool { suppressed == 0 && overQuota == 0 && givenUp == 0 && lost == 0 && waiting == 0 }

    /// Whether the counts can be true: none is below 0 or beyond `max`.
    public func isWithin(max: Int) -> Bool {
        [suppressed, overQuota, givenUp, lost, waiting].allSatisfy { (0...max).contains($0) } && day >= 0
    }

    /// For a person, such as `12 reports suppressed, 3 packets over the quota`.
    public var summary: String {
        let parts = [
            (suppressed, "suppressed as repetitions"), (overQuota, "beyond the day's quota"), (givenUp, "given up for heavier ones"),
            (lost, "lost"), (waiting, "waiting for the quota"),
        ]
        return parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}
