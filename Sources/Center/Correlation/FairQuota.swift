// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A daily quota that is shared out: what weighs most goes first, and nobody's word alone uses it up.
///
/// - What the word of one reporter alone supports, or of one machine, may use at most a third of the day's places, and at least one.
/// - A third of the places is a reserve for what two reporters or more support, or the site's captures do.
/// - What weighs more goes out before what came first.
public struct FairQuota: Hashable, Sendable {
    /// Something that waits for a place.
    public struct Item: Hashable, Sendable {
        public var number: Int64
        /// How many reporters support it.
        public var reporters: Int
        /// What their evidence adds up to.
        public var points: Int
        /// The one on whose word alone it rests; `nil`: on more than that.
        public var soleSource: ReportSource?

        public init(number: Int64, reporters: Int, points: Int, soleSource: ReportSource?) {
            self.number = number
            self.reporters = reporters
            self.points = points
            self.soleSource = soleSource
        }
    }

    /// A place that was taken within the day.
    public struct Use: Hashable, Sendable {
        /// In milliseconds since 1970.
        public var timeMilliseconds: Int64
        public var soleSource: ReportSource?

        public init(timeMilliseconds: Int64, soleSource: ReportSource?) {
            self.timeMilliseconds = timeMilliseconds
            self.soleSource = soleSource
        }
    }

    public var limit: Int
    /// One in so many of the places is the most that one reporter's word alone may take.
    public var shares: Int

    public init(limit: Int, shares: Int = 3) {
        self.limit = max(0, limit)
        self.shares = max(1, shares)
    }

    /// The places that one reporter's word alone may take.
    public var share: Int { max(1, limit / shares) }
    /// The places that no single reporter's word takes.
    public var reserve: Int { limit / 3 }

    /// Whether an item may take a place beside these uses.
    public func admits(_ item: Item, beside uses: [Use]) -> Bool {
        guard uses.count < limit else { return false }
        guard let source = item.soleSource else { return true }
        return uses.count { $0.soleSource != nil } < limit - reserve && Self.count(of: source, among: uses) < share
    }

    /// How many places are taken on the word of a source.
    public static func count(of source: ReportSource, among uses: [Use]) -> Int {
        uses.count { $0.soleSource?.isSame(as: source) ?? false }
    }

    /// Of some sources the one that has used least; of several, the first by name.
    public static func leastUsed(_ sources: [ReportSource], used: (ReportSource) throws -> Int) rethrows -> ReportSource? {
        // Many names of one machine are one.
        let distinct = Dictionary(sources.map { ($0.holder, $0) }) { $0.reporter < $1.reporter ? $0 : $1 }.values
        return try distinct.map { source in (used: try used(source), source: source) }
            .min { ($0.used, $0.source.reporter) < ($1.used, $1.source.reporter) }?.source
    }

    /// Those that used up their share.
    public func exhausted(by uses: [Use]) -> Set<ReportSource> {
        let alone = uses.compactMap(\.soleSource)
        func counts<Key>(_ keys: [Key]) -> [Key: Int] { Dictionary(keys.map { ($0, 1) }, uniquingKeysWith: +) }
        let (both, reporters, machines) = (counts(alone), counts(alone.map(\.reporter)), counts(alone.compactMap(\.machine)))
        return Set(alone).filter { source in
            let ofMachine = source.machine.map { machines[$0, default: 0] - both[source, default: 0] } ?? 0
            return reporters[source.reporter, default: 0] + ofMachine >= share
        }
    }

    /// When an item may take a place, if nothing else takes one: when enough uses are as old as the window.
    ///
    /// - Returns: `nil` when there is no place ever.
    public func opens(for item: Item, uses: [Use], windowMilliseconds: Int64) -> Int64? {
        guard limit > 0 else { return nil }
        let sorted = uses.sorted { $0.timeMilliseconds < $1.timeMilliseconds }
        for (count, use) in sorted.enumerated() where admits(item, beside: Array(sorted.dropFirst(count + 1))) {
            return use.timeMilliseconds + windowMilliseconds
        }
        return nil
    }

    /// What weighs most first: the number of reporters, then points, then age.
    public static func inOrder(_ items: [Item]) -> [Item] {
        items.sorted { one, other in
            (other.reporters, other.points, one.number) < (one.reporters, one.points, other.number)
        }
    }
}
