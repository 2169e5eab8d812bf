// SPDX-License-Identifier: Apache-2.0

/// A calendar day in UTC, in the form of rules: `2026_11_23`.
public struct RuleDate: Hashable, Sendable, CustomStringConvertible {
    public var year: Int
    public var month: Int
    public var day: Int

    /// The day of a point in time.
    ///
    /// The arithmetic counts from 1 March of year 0 in eras of 400 years (146,097 days), which puts the leap day at
    /// the end of each year: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    ///
    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z, clamped to the years 0 to 9999.
    public init(milliseconds: Int64) {
        let bounded = Int(min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999))
        let days = (bounded >= 0 ? bounded : bounded - 86_399_999) / 86_400_000 + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Parses a ``description``; `nil` if it is malformed. Month and day are only checked against 12 and 31.
    init?(_ text: some StringProtocol) {
        let fields = text.split(separator: "_", omittingEmptySubsequences: false)
        guard fields.map(\.utf8.count) == [4, 2, 2], let year = Int(fields[0]), let month = Int(fields[1]),
            let day = Int(fields[2]), (1...12).contains(month), (1...31).contains(day), year >= 0
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// In the form of ISO 8601: `2026-11-23`.
    var dashed: String { description.replacing("_", with: "-") }

    public var description: String {
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))_\(padded(month, 2))_\(padded(day, 2))"
    }
}
