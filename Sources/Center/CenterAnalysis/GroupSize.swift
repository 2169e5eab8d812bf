// SPDX-License-Identifier: Apache-2.0

/// How many reports are looked at together: as many as take a moment. Whoever reports something next waits for one group, so who sends
/// what takes long to look at has only smaller groups, and nobody else waiting.
struct GroupSize {
    /// A group takes about as long as that at most.
    static let longest = Duration.milliseconds(250)
    /// Fewer are not looked at on several processors.
    static let least = 4

    private let most: Int
    /// Of the next group, at most.
    private(set) var reports: Int

    init(most: Int) {
        self.most = most
        reports = most
    }

    /// Notes how long a group took to look at.
    mutating func took(_ duration: Duration, for count: Int) {
        if duration > Self.longest {
            reports = max(Self.least, min(reports, Int(Double(count) * (Self.longest / duration))))
        } else if count >= reports, duration < Self.longest / 2 {
            reports = min(most, 2 * reports)
        }
    }
}
