// SPDX-License-Identifier: Apache-2.0

/// Whether a failure is worth a line: it is another than the last one, or a day has passed since that was told. A clock that is
/// set back counts as a day.
public struct FailureNews: Sendable {
    private var last: (code: EpitopeError.Code, milliseconds: Int64)?
    private static let interval = Duration.days(1).inMilliseconds

    /// Nothing was told yet.
    public init() {}

    /// Whether it is to be told now; it then counts as told.
    public mutating func isNews(_ error: EpitopeError, nowMilliseconds now: Int64) -> Bool {
        if let last, last.code == error.code, (0..<Self.interval).contains(now - last.milliseconds) { return false }
        last = (error.code, now)
        return true
    }

    /// The next failure is news.
    public mutating func recovered() { last = nil }
}
