// SPDX-License-Identifier: Apache-2.0

/// Limits the reports of a process that repeats its call in a loop. The calls are answered in any case.
struct ReportLimiter {
    /// Reports of one key, and of all keys, in a window.
    static let maxReportsPerKey = 3
    static let maxReports = 200
    static let windowMilliseconds: Int64 = 10_000

    private var windowStart: Int64 = .min
    private var counts: [ReportKey: Int] = [:]
    private var total = 0

    /// Whether a report may be made now. A clock that is set back begins a new window.
    mutating func allows(_ key: ReportKey, nowMilliseconds now: Int64) -> Bool {
        if windowStart == .min || now < windowStart || now - windowStart >= Self.windowMilliseconds {
            windowStart = now
            counts.removeAll(keepingCapacity: true)
            total = 0
        }
        guard total < Self.maxReports, counts[key, default: 0] < Self.maxReportsPerKey else { return false }
        counts[key, default: 0] += 1
        total += 1
        return true
    }
}
