// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Times as texts, in UTC.
enum Timestamp {
    /// As RFC 3339 has it, with milliseconds: `2026-12-01T15:36:00.000Z`.
    static func text(_ milliseconds: Int64) -> String { CalendarTime(ofMilliseconds: milliseconds).description }

    /// As mail has it (RFC 5322, 3.3): `Tue, 01 Dec 2026 15:36:00 +0000`.
    static func mail(_ milliseconds: Int64) -> String {
        let time = CalendarTime(ofMilliseconds: milliseconds)
        // 1970-01-01 was a Thursday.
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let weekday = days[Int(((time.day.daysSince1970 % 7) + 7) % 7)]
        return "\(weekday), \(String(time.day.day, paddedTo: 2)) \(months[time.day.month - 1]) \(String(time.day.year, paddedTo: 4)) "
            + "\(time.clock) +0000"
    }
}
