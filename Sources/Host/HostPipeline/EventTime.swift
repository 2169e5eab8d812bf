// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A moment in the event log. It is written as ISO 8601 in UTC, to the microsecond: `2026-11-29T14:38:52.123456Z`.
public struct EventTime: Hashable, Sendable, Comparable {
    /// Since 1970-01-01T00:00:00Z.
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z.
    public init(milliseconds: Int64) { self.init(microseconds: milliseconds &* 1000) }

    /// - Parameter milliseconds: with a fraction, since 1970-01-01T00:00:00Z; moved to the years 0 to 9999 where it lies outside of them.
    init(fractionalMilliseconds milliseconds: Double) {
        let bounded = min(max(milliseconds, Double(CalendarDay.firstMilliseconds)), Double(CalendarDay.lastMilliseconds))
        self.init(microseconds: bounded.isNaN ? 0 : Int64((bounded * 1000).rounded()))
    }

    /// Since 1970-01-01T00:00:00Z, rounded down.
    public var milliseconds: Int64 { microseconds >= 0 ? microseconds / 1000 : -((999 - microseconds) / 1000) }

    public static func < (left: EventTime, right: EventTime) -> Bool { left.microseconds < right.microseconds }
}

extension EventTime: CustomStringConvertible {
    private static let perDay: Int64 = Duration.days(1).inMilliseconds * 1000

    public var description: String { text(fraction: true) }

    /// Without the fraction of the second, for a person.
    public var toTheSecond: String { text(fraction: false) }

    private func text(fraction: Bool) -> String {
        let day = CalendarDay(ofMilliseconds: milliseconds)
        let ofDay = ((microseconds % Self.perDay) + Self.perDay) % Self.perDay
        let seconds = Int(ofDay / 1_000_000)
        let clock = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { String($0, paddedTo: 2) }.joined(separator: ":")
        return "\(day)T\(clock)" + (fraction ? ".\(String(Int(ofDay % 1_000_000), paddedTo: 6))" : "") + "Z"
    }

    /// Reads the form that ``description`` has, with a fraction of any length or none; `nil` for any other.
    public init?(_ text: some StringProtocol) {
        let halves = text.split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count == 2, halves[1].hasSuffix("Z"), let day = CalendarDay(halves[0], earliestYear: 0) else { return nil }
        let clock = halves[1].dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = clock[0].split(separator: ":", omittingEmptySubsequences: false)
        let digits = clock.count > 1 ? clock[1] : "0"
        guard parts.map(\.utf8.count) == [2, 2, 2], !digits.isEmpty, Self.areDigits(parts.joined()), Self.areDigits(digits),
            let hours = Int64(parts[0]), let minutes = Int64(parts[1]), let seconds = Int64(parts[2]), hours < 24, minutes < 60,
            seconds < 61,
            let fraction = Int64(String(digits.prefix(6)).padded(to: 6))
        else { return nil }
        self.init(microseconds: day.daysSince1970 * Self.perDay + (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + fraction)
    }

    private static func areDigits(_ text: some StringProtocol) -> Bool { text.utf8.allSatisfy { (48...57).contains($0) } }
}

extension EventTime: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Logs of earlier versions have milliseconds as a number.
        if let milliseconds = try? container.decode(Double.self) {
            self.init(fractionalMilliseconds: milliseconds)
            return
        }
        let text = try container.decode(String.self)
        guard let time = EventTime(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a time")
        }
        self = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: "0", count: max(0, width - utf8.count)) }
}
