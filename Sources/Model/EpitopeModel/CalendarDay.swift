// SPDX-License-Identifier: Apache-2.0

/// A day of the calendar, in UTC, as people write it: `2027-06-30`.
public struct CalendarDay: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    public let year: Int
    public let month: Int
    public let day: Int

    /// Reads a day; `nil` for a text of another form, and for a day that does not exist.
    ///
    /// - Parameters:
    ///   - separator: what stands between year, month and day: Suricata's rules have `_`.
    ///   - earliestYear: 0 up. Days before 1970 are mistakes in most places.
    public init?(_ text: some StringProtocol, separator: Character = "-", earliestYear: Int = 1970) {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.utf8.count) == [4, 2, 2],
            parts.joined().utf8.allSatisfy({ (48...57).contains($0) }), let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2]), year >= earliestYear, (1...12).contains(month), (1...Self.days(of: month, year)).contains(day)
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// The day of a moment.
    ///
    /// The arithmetic counts from 1 March of year 0 in eras of 400 years (146,097 days), which puts the leap day at the end
    /// of each year: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    ///
    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z; moved to the first or last day of the years 0 to 9999 where it
    ///   lies outside of them.
    public init(ofMilliseconds milliseconds: Int64) {
        let perDay = Duration.days(1).inMilliseconds
        let bounded = min(max(milliseconds, Self.firstMilliseconds), Self.lastMilliseconds)
        let days = Int((bounded >= 0 ? bounded : bounded - (perDay - 1)) / perDay) + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The days from 1970-01-01 to this one: the inverse of ``init(ofMilliseconds:)``, by the same eras of 400 years.
    public var daysSince1970: Int64 {
        let shifted = Int64(month <= 2 ? year - 1 : year)
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * Int64(month > 2 ? month - 3 : month + 9) + 2) / 5 + Int64(day) - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// 0000-01-01T00:00:00Z, in milliseconds since 1970.
    public static let firstMilliseconds: Int64 = -62_167_219_200_000
    /// The end of 9999-12-31, in milliseconds since 1970.
    public static let lastMilliseconds: Int64 = 253_402_300_799_999

    public var description: String { text(separator: "-") }

    /// The day with another separator than `-`.
    public func text(separator: String) -> String {
        [String(year, paddedTo: 4), String(month, paddedTo: 2), String(day, paddedTo: 2)].joined(separator: separator)
    }

    public static func < (left: CalendarDay, right: CalendarDay) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let day = CalendarDay(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not a day such as 2027-06-30"))
        }
        self = day
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
    private static func days(of month: Int, _ year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension String {
    /// A number from 0 up with leading zeros, for dates and times.
    public init(_ number: Int, paddedTo width: Int) {
        let digits = String(number)
        self = String(repeating: "0", count: Swift.max(0, width - digits.utf8.count)) + digits
    }
}
