// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import HostPipeline

@Suite struct EventTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (1_764_427_132_123_456, "2025-11-29T14:38:52.123456Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"), (4_102_444_799_999_999, "2099-12-31T23:59:59.999999Z"),
        ] as [(Int64, String)])
    func `a time is written and read in ISO form with its zone`(_ microseconds: Int64, _ text: String) {
        #expect(EventTime(microseconds: microseconds).description == text)
        #expect(EventTime(text)?.microseconds == microseconds)
    }

    @Test func `every day of four centuries is read as it is written`() {
        for day in stride(from: -200 * 365, to: 200 * 365, by: 1) {
            let time = EventTime(microseconds: Int64(day) * 86_400_000_000 + 43_200_000_001)
            #expect(EventTime(time.description) == time)
        }
    }

    @Test(arguments: [
        "", "now", "2025-11-29", "2025-11-29T14:38:52", "2025-11-29T14:38:52+01:00", "2025-02-29T00:00:00Z", "2025-11-29T24:00:00Z",
        "2025-11-29T14:60:00Z", "2025-11-29T14:38:5Z", "2025-11-29T14:38:52.Z", "2025-11-29T14:38:52.-1Z", "2025-11-29T14:38:52.1.2Z",
    ])
    func `other forms are no time`(_ text: String) { #expect(EventTime(text) == nil) }

    @Test func `a shorter fraction is read as a fraction`() {
        #expect(EventTime("1970-01-01T00:00:01.5Z")?.microseconds == 1_500_000)
        #expect(EventTime("1970-01-01T00:00:01Z")?.toTheSecond == "1970-01-01T00:00:01Z")
    }

    @Test func `logs of earlier versions are read, whose times are milliseconds`() throws {
        let line = #"{"event":"sent","time":1764415200125.4,"storedTime":1764415200123,"packet":"ab"}"#
        let event = try JSONDecoder().decode(HostEvent.self, from: Data(line.utf8))
        #expect(event.time.microseconds == 1_764_415_200_125_400)
        #expect(event.storedTime == EventTime(milliseconds: 1_764_415_200_123))
    }
}
