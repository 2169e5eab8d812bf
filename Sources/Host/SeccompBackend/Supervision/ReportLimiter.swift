// SPDX-License-Identifier: Apache-2.0

/// Keeps a process that repeats its call in a loop from flooding the reports: the calls are answered all the same.
struct ReportLimiter {
    /// What counts as the same call again.
    struct Key: Hashable {
        var thread: Int32
        var callersAddress: UInt64
        var number: UInt64
    }

    /// Reports of one key, and of all, in a window.
    static let mostOfAKey = 3
    static let most = 200
    static let windowMilliseconds: Int64 = 10_000

    private var windowStart: Int64 = .min
    private var counts: [Key: Int] = [:]
    private var total = 0

    /// Whether a report may be made now. Time that goes backwards begins a new window.
    mutating func allows(_ key: Key, nowMilliseconds now: Int64) -> Bool {
        if windowStart == .min || now < windowStart || now - windowStart >= Self.windowMilliseconds {
            windowStart = now
            counts.removeAll(keepingCapacity: true)
            total = 0
        }
        guard total < Self.most, counts[key, default: 0] < Self.mostOfAKey else { return false }
        counts[key, default: 0] += 1
        total += 1
        return true
    }
}
