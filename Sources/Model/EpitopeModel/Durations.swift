// SPDX-License-Identifier: Apache-2.0

extension Duration {
    /// Days of 24 hours, as times in milliseconds since 1970 count them (leap seconds aside).
    public static func days(_ days: some BinaryInteger) -> Duration { .seconds(Int64(days) * 86_400) }

    /// Hours of 60 minutes.
    public static func hours(_ hours: some BinaryInteger) -> Duration { .seconds(Int64(hours) * 3600) }

    /// The whole milliseconds of the duration: differences of times are counted in them.
    public var inMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
