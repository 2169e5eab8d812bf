// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@Suite struct CalendarDayTests {
    @Test(arguments: ["1970-01-01", "2000-02-29", "2024-02-29", "2027-12-31", "9999-12-31"]) func `A day is read from its text`(
        _ text: String
    ) {
        #expect(CalendarDay(text)?.description == text)
    }

    @Test(arguments: [
        "", "2027", "2027-6-30", "2027-02-29", "2100-02-29", "2027-13-01", "2027-00-10", "2027-04-31", "1969-12-31", "2027-06-30Z",
        "+027-06-30",
    ])
    func `A text of another form is not a day`(_ text: String) {
        #expect(CalendarDay(text) == nil)
    }

    /// date -u -d @SECONDS +%F
    @Test(arguments: [
        (0, "1970-01-01"), (86_399_999, "1970-01-01"), (86_400_000, "1970-01-02"), (951_782_400_000, "2000-02-29"),
        (1_735_689_599_999, "2024-12-31"), (1_814_313_600_000, "2027-06-30"), (-5, "1969-12-31"), (Int64.max, "9999-12-31"),
        (Int64.min, "0000-01-01"),
    ])
    func `A moment has its day`(_ milliseconds: Int64, _ day: String) {
        #expect(CalendarDay(ofMilliseconds: milliseconds).description == day)
    }

    @Test func `A day has other separators, and earlier years, where they are asked for`() throws {
        let day = try #require(CalendarDay("0004_02_29", separator: "_", earliestYear: 0))
        #expect(day.text(separator: "_") == "0004_02_29" && day.description == "0004-02-29")
        #expect(CalendarDay("2027_06_30") == nil && CalendarDay("0004-02-29") == nil)
    }

    @Test func `A duration counts in milliseconds`() {
        #expect(Duration.days(2).inMilliseconds == 172_800_000)
        #expect(Duration.hours(-1).inMilliseconds == -3_600_000)
        #expect(Duration.microseconds(1999).inMilliseconds == 1)
    }

    @Test func `Days are ordered`() throws {
        let days = try ["2026-12-31", "2027-01-01", "2027-01-02", "2027-02-01"].map { try #require(CalendarDay($0)) }
        #expect(days == days.shuffled().sorted())
    }

    @Test(arguments: ["1970-01-01", "1999-12-31", "2000-02-29", "2024-03-01", "9999-12-31", "1969-12-31", "0000-01-01"])
    func `Days are counted from 1970 on, there and back`(_ text: String) throws {
        let day = try #require(CalendarDay(text, earliestYear: 0))
        #expect(CalendarDay(ofMilliseconds: day.daysSince1970 * 86_400_000) == day)
        #expect(try #require(CalendarDay("2026-11-30")).daysSince1970 == 20_787)
    }
}
