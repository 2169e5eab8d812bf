// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A limit on events within a day: packets from a host, updates and forwards from a center.
///
/// The day is a sliding window of 24 hours, not a calendar day: midnight allows no burst of twice the limit, and no time zone
/// matters.
public struct DailyQuota: Hashable, Sendable, Codable {
    /// The default of Documentation/Design.md.
    public static let defaultLimit = 3
    /// 24 hours in milliseconds.
    public static let windowMilliseconds: Int64 = Duration.days(1).inMilliseconds

    /// The number of uses allowed a day; 0 allows none.
    public var limit: Int

    /// - Parameter limit: a negative one counts as 0.
    public init(limit: Int = DailyQuota.defaultLimit) {
        self.limit = max(0, limit)
    }

    /// Whether one more use is within the limit.
    ///
    /// - Parameters:
    ///   - uses: times of earlier uses, in any order, in milliseconds since 1970.
    ///   - nowMilliseconds: the time of the use in question.
    public func allows(uses: [Int64], nowMilliseconds: Int64) -> Bool {
        counted(uses, nowMilliseconds).count < limit
    }

    /// How many more uses are within the limit now.
    public func remaining(uses: [Int64], nowMilliseconds: Int64) -> Int {
        max(0, limit - counted(uses, nowMilliseconds).count)
    }

    /// When the next use is allowed: now, or when enough earlier ones are a day old; `nil` if the limit is 0.
    public func nextAllowed(uses: [Int64], nowMilliseconds: Int64) -> Int64? {
        guard limit > 0 else { return nil }
        let counted = counted(uses, nowMilliseconds).sorted()
        guard counted.count >= limit else { return nowMilliseconds }
        return counted[counted.count - limit] + Self.windowMilliseconds
    }

    /// Whether a use is within a day of now, before or after: a clock that was set back must not free the quota, and one that
    /// once ran far ahead must not block it permanently.
    public static func counts(use: Int64, nowMilliseconds now: Int64) -> Bool {
        let (age, overflow) = now.subtractingReportingOverflow(use)
        return !overflow && age.magnitude < UInt64(windowMilliseconds)
    }

    private func counted(_ uses: [Int64], _ now: Int64) -> [Int64] {
        uses.filter { Self.counts(use: $0, nowMilliseconds: now) }
    }
}
