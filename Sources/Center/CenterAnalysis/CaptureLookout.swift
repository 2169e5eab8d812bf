// SPDX-License-Identifier: Apache-2.0

/// When a site's captures are looked at again for code that they did not show when its signatures were proven: recorders write in
/// steps, and a rule that rests on one host's word alone only alerts until they have the flow.
///
/// It is in memory: a center that ends meanwhile looks again with the attack's next report.
struct CaptureLookout {
    /// The pauses between looks.
    static let pauses: [Duration] = [.seconds(1), .seconds(5), .seconds(15), .seconds(60), .seconds(240)]
    /// How many clusters are waited for. What finds no room has to wait for its next report.
    static let maxClusters = 1024
    /// How many are waited for on the word of one reporter.
    static let maxClustersOfReporter = 64

    private struct Entry {
        var due: ContinuousClock.Instant
        var looks = 0
        var reporter: String?
    }

    private var entries: [Int64: Entry] = [:]

    /// Looks for the code of a cluster; one that is waited for already has its looks.
    ///
    /// - Parameter reporter: on whose word; `nil`: on that of several.
    /// - Returns: whether there was room.
    @discardableResult
    mutating func add(_ cluster: Int64, of reporter: String?, now: ContinuousClock.Instant) -> Bool {
        guard entries[cluster] == nil else { return true }
        guard entries.count < Self.maxClusters else { return false }
        if let reporter, entries.values.count(where: { $0.reporter == reporter }) >= Self.maxClustersOfReporter { return false }
        entries[cluster] = Entry(due: now + Self.pauses[0], reporter: reporter)
        return true
    }

    mutating func remove(_ cluster: Int64) {
        entries[cluster] = nil
    }

    /// The clusters to look for now; each has its next look after the next pause, until there is none.
    mutating func takeDue(now: ContinuousClock.Instant) -> [Int64] {
        let due = entries.filter { $0.value.due <= now }
        for (cluster, entry) in due {
            let looks = entry.looks + 1
            entries[cluster] =
                looks < Self.pauses.count ? Entry(due: now + Self.pauses[looks], looks: looks, reporter: entry.reporter) : nil
        }
        return due.keys.sorted()
    }

    /// How long until the next look; `nil`: there is none.
    func wait(now: ContinuousClock.Instant) -> Duration? {
        entries.values.map(\.due).min().map { max(.zero, $0 - now) }
    }
}
