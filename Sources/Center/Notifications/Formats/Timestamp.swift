// SPDX-License-Identifier: Apache-2.0

/// Times as texts, in UTC.
enum Timestamp {
    /// As RFC 3339 has it, with milliseconds: `2026-12-01T15:36:00.000Z`.
    static func text(_ milliseconds: Int64) -> String {
        let (seconds, fraction) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let parts = Parts(seconds: fraction < 0 ? seconds - 1 : seconds)
        let rest = fraction < 0 ? fraction + 1000 : fraction
        return "\(digits(parts.year, 4))-\(digits(parts.month, 2))-\(digits(parts.day, 2))T\(digits(parts.hour, 2)):"
            + "\(digits(parts.minute, 2)):\(digits(parts.second, 2)).\(digits(rest, 3))Z"
    }

    /// As mail has it (RFC 5322, 3.3): `Tue, 01 Dec 2026 15:36:00 +0000`.
    static func mail(_ milliseconds: Int64) -> String {
        let parts = Parts(seconds: milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000)
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let weekday = days[Int(((parts.days % 7) + 7) % 7)]
        return "\(weekday), \(digits(parts.day, 2)) \(months[Int(parts.month) - 1]) \(digits(parts.year, 4)) "
            + "\(digits(parts.hour, 2)):\(digits(parts.minute, 2)):\(digits(parts.second, 2)) +0000"
    }

    private static func digits(_ number: Int64, _ count: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// A moment of the Gregorian calendar. Days to dates by H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    private struct Parts {
        /// Since 1970-01-01, a Thursday.
        var days: Int64
        var year: Int64
        var month: Int64
        var day: Int64
        var hour: Int64
        var minute: Int64
        var second: Int64

        init(seconds: Int64) {
            days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
            let ofDay = seconds - days * 86_400
            (hour, minute, second) = (ofDay / 3600, ofDay / 60 % 60, ofDay % 60)
            let shifted = days + 719_468
            let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
            let dayOfEra = shifted - era * 146_097
            let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
            let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
            let shiftedMonth = (5 * dayOfYear + 2) / 153
            day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
            month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
            year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        }
    }
}
