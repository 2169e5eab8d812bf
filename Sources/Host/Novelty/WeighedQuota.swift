// SPDX-License-Identifier: Apache-2.0

/// Who made a report, and how much it weighs: what a host's quota is shared out by.
public struct QuotaClaim: Hashable, Sendable {
    /// The strongest evidence, in points.
    public var points: Int
    /// The program: its executable, for one user in one container.
    public var program: UInt64
    /// The user, within one container.
    public var owner: UInt64

    public init(points: Int, program: UInt64, owner: UInt64) {
        self.points = points
        self.program = program
        self.owner = owner
    }
}

/// A host's quota of packets in 24 hours, in which harmless reports don't take the place of an attack's.
///
/// - Anybody's packets take the `limit` places of the day, in order; those without evidence of ``fullPoints`` only two thirds of
///   them.
/// - When they are taken there is a reserve of as many places again. One is for evidence of ``fullPoints`` by a program that has
///   not reported within the day; and no user, in no container, gets two of them. So whoever uses up the day's places, by however
///   many programs, does not silence another user's, nor another container's.
///
/// What gets no place waits, and goes out when a place is free, in the order of ``inOrder(_:uses:nowMilliseconds:)``.
public struct WeighedQuota: Hashable, Sendable {
    /// A place that was taken.
    public struct Use: Hashable, Sendable {
        public var timeMilliseconds: Int64
        public var claim: QuotaClaim
        public var isReserve: Bool

        public init(timeMilliseconds: Int64, claim: QuotaClaim, isReserve: Bool) {
            self.timeMilliseconds = timeMilliseconds
            self.claim = claim
            self.isReserve = isReserve
        }
    }

    /// The place that a packet may take.
    public enum Place: Hashable, Sendable {
        case usual
        case reserve
    }

    /// A packet that waits for a place.
    public struct Waiting: Hashable, Sendable {
        public var id: String
        public var timeMilliseconds: Int64
        public var claim: QuotaClaim

        public init(id: String, timeMilliseconds: Int64, claim: QuotaClaim) {
            self.id = id
            self.timeMilliseconds = timeMilliseconds
            self.claim = claim
        }
    }

    /// Evidence of so many points is a whole attack by itself (the attack threshold of Documentation/Design.md).
    public static let fullPoints = 100

    public var quota: DailyQuota

    public init(_ quota: DailyQuota = DailyQuota()) {
        self.quota = quota
    }

    /// How many of the usual places lighter evidence may take: one at least is kept from it, if there are two.
    public var lightLimit: Int {
        quota.limit < 2 ? quota.limit : quota.limit - max(1, quota.limit / 3)
    }

    /// The place that a packet may take now; `nil`: it has to wait.
    ///
    /// - Parameter uses: earlier uses in any order; those of other days don't count.
    public func place(for claim: QuotaClaim, uses: [Use], nowMilliseconds now: Int64) -> Place? {
        place(for: claim, counted: counted(uses, now))
    }

    /// When a packet may take a place: now, or when enough uses are a day old; `nil` if the limit is 0.
    public func nextAllowed(for claim: QuotaClaim, uses: [Use], nowMilliseconds now: Int64) -> Int64? {
        guard quota.limit > 0 else { return nil }
        let counted = counted(uses, now)
        if place(for: claim, counted: counted) != nil { return now }
        // With each use that ends there is more room, never less: the first end that is enough is found by halving.
        let ends = counted.map { $0.timeMilliseconds + DailyQuota.windowMilliseconds }.sorted()
        var (low, high) = (0, ends.count - 1)
        while low < high {
            let middle = (low + high) / 2
            let left = counted.filter { $0.timeMilliseconds + DailyQuota.windowMilliseconds > ends[middle] }
            if place(for: claim, counted: left) != nil { high = middle } else { low = middle + 1 }
        }
        return ends[low]
    }

    /// What waits, what weighs most first: programs that have not reported within the day; then by turns of users and programs, so
    /// that many packets of one don't stand before the first of another; then by points; then by age.
    public func inOrder(_ waiting: [Waiting], uses: [Use], nowMilliseconds now: Int64) -> [Waiting] {
        let reported = Set(counted(uses, now).map(\.claim.program))
        func isHeavier(_ one: Waiting, _ other: Waiting) -> Bool {
            (-one.claim.points, one.timeMilliseconds, one.id) < (-other.claim.points, other.timeMilliseconds, other.id)
        }
        var ranked: [(rank: Rank, waiting: Waiting)] = []
        for group in Dictionary(grouping: waiting, by: \.claim.owner).values {
            var turns: [(turn: Int, waiting: Waiting)] = []
            for ofProgram in Dictionary(grouping: group, by: \.claim.program).values {
                for (turn, each) in ofProgram.sorted(by: isHeavier).enumerated() { turns.append((turn, each)) }
            }
            turns.sort { one, other in
                let hasReported = (reported.contains(one.waiting.claim.program), reported.contains(other.waiting.claim.program))
                if hasReported.0 != hasReported.1 { return !hasReported.0 }
                return one.turn == other.turn ? isHeavier(one.waiting, other.waiting) : one.turn < other.turn
            }
            for (turn, each) in turns.enumerated() {
                ranked.append((Rank(hasReported: reported.contains(each.waiting.claim.program), turn: turn), each.waiting))
            }
        }
        return ranked.sorted { $0.rank == $1.rank ? isHeavier($0.waiting, $1.waiting) : $0.rank < $1.rank }.map(\.waiting)
    }

    private struct Rank: Comparable {
        var hasReported: Bool
        var turn: Int

        static func < (one: Rank, other: Rank) -> Bool {
            one.hasReported == other.hasReported ? one.turn < other.turn : !one.hasReported
        }
    }

    private func place(for claim: QuotaClaim, counted: [Use]) -> Place? {
        let isFull = claim.points >= Self.fullPoints
        let usual = counted.count { !$0.isReserve }
        let light = counted.count { !$0.isReserve && $0.claim.points < Self.fullPoints }
        if usual < quota.limit, isFull || light < lightLimit { return .usual }
        guard isFull, counted.count - usual < quota.limit,
            !counted.contains(where: { $0.claim.program == claim.program || ($0.isReserve && $0.claim.owner == claim.owner) })
        else { return nil }
        return .reserve
    }

    private func counted(_ uses: [Use], _ now: Int64) -> [Use] {
        uses.filter { DailyQuota.counts(use: $0.timeMilliseconds, nowMilliseconds: now) }
    }
}
