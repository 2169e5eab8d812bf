// SPDX-License-Identifier: Apache-2.0

/// A moment of the calendar, in UTC, to the millisecond. It is written as RFC 3339 has it: `2026-12-01T15:36:00.000Z`.
public struct CalendarTime: Hashable, Sendable, CustomStringConvertible {
    public let day: CalendarDay
    /// 0 to 23.
    public let hour: Int
    /// 0 to 59.
    public let minute: Int
    /// 0 to 59.
    public let second: Int
    /// Of the second, 0 to 999.
    public let millisecond: Int

    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z; moved to the first or last moment of the years 0 to 9999 where it lies outside
    ///   of them.
    public init(ofMilliseconds milliseconds: Int64) {
        let bounded = min(max(milliseconds, CalendarDay.firstMilliseconds), CalendarDay.lastMilliseconds)
        let perDay = Duration.days(1).inMilliseconds
        let rest = Int(((bounded % perDay) + perDay) % perDay)
        day = CalendarDay(ofMilliseconds: bounded)
        (hour, minute, second, millisecond) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000)
    }

    /// `15:36:00`.
    public var clock: String { [hour, minute, second].map { String($0, paddedTo: 2) }.joined(separator: ":") }

    public var description: String { "\(day)T\(clock).\(String(millisecond, paddedTo: 3))Z" }
}
