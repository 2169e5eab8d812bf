// SPDX-License-Identifier: Apache-2.0

import Correlation
import GRDB
import Novelty

/// The item that a use of a quota is reserved for. It keeps its use over a restart.
struct QuotaItem: Hashable, Sendable {
    /// The tables whose rows use quotas.
    enum Kind: String, CaseIterable, StoredWord {
        case delivery
        case forward
        /// The proof of a cluster, by its number: it waits for a place of what would be published of it, and uses none itself.
        case proof

        /// Those that use quotas.
        static let users: [Kind] = [.delivery, .forward]

        var table: String {
            switch self {
            case .delivery: "deliveries"
            case .forward: "forwards"
            case .proof: "proofs"
            }
        }
    }

    var kind: Kind
    var id: Int64

    static func delivery(_ id: Int64) -> QuotaItem { QuotaItem(kind: .delivery, id: id) }
    static func forward(_ id: Int64) -> QuotaItem { QuotaItem(kind: .forward, id: id) }
    static func proof(_ cluster: Int64) -> QuotaItem { QuotaItem(kind: .proof, id: cluster) }

    /// An SQL condition: the row with that id (an SQL expression) has its use.
    static func hasQuota(_ kind: Kind, id: String) -> String {
        "EXISTS (SELECT 1 FROM quota_uses WHERE item_kind = \(kind.sql) AND item = \(id))"
    }
}

/// The outcome of a request for a use of a quota.
enum QuotaReservation {
    case new
    /// The item had its use already.
    case existing
    /// No use is left today.
    case exhausted
}

extension StoreTransaction {
    /// Whether an item has its use of a quota.
    func isReserved(_ quota: QuotaKind, for item: QuotaItem) throws -> Bool {
        let select = try db.cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM quota_uses WHERE quota = ? AND item_kind = ? AND item = ?)")
        return try Bool.fetchOne(select, arguments: [quota.rawValue, item.kind.rawValue, item.id]) ?? false
    }

    /// Counts a use of a quota for an item, whatever is left of it.
    ///
    /// - Parameter soleSource: the one on whose word alone the item rests; `nil`: it rests on more.
    func use(_ quota: QuotaKind, for item: QuotaItem, soleSource: ReportSource? = nil) throws {
        try db.execute(
            sql: """
                INSERT INTO quota_uses (quota, item_kind, item, time_ms, sole_reporter, sole_machine) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """,
            arguments: [
                quota.rawValue, item.kind.rawValue, item.id, nowMilliseconds, soleSource?.reporter, soleSource?.machine,
            ])
    }

    /// Releases the use of an item that was refused before it took effect.
    func release(_ item: QuotaItem) throws {
        try db.execute(
            sql: "DELETE FROM quota_uses WHERE item_kind = ? AND item = ?", arguments: [item.kind.rawValue, item.id])
    }

    /// The uses of a quota within the last day.
    func uses(of kind: QuotaKind) throws -> [FairQuota.Use] {
        try Row.fetchAll(
            db, sql: "SELECT time_ms, sole_reporter, sole_machine FROM quota_uses WHERE quota = ? AND time_ms > ?",
            arguments: [kind.rawValue, nowMilliseconds - DailyQuota.windowMilliseconds]
        ).map { FairQuota.Use(timeMilliseconds: $0["time_ms"], soleSource: .known($0["sole_reporter"], at: $0["sole_machine"])) }
            .filter { DailyQuota.counts(use: $0.timeMilliseconds, nowMilliseconds: nowMilliseconds) }
    }

    /// How much of a quota is used within the last day.
    func use(of kind: QuotaKind, limits: QuotaLimits) throws -> QuotaUse {
        let times = try uses(of: kind).map(\.timeMilliseconds)
        let quota = DailyQuota(limit: limits.limit(of: kind))
        let left = quota.remaining(uses: times, nowMilliseconds: nowMilliseconds)
        return QuotaUse(
            limit: quota.limit, left: left,
            reopensMilliseconds: left > 0 ? nil : quota.nextAllowed(uses: times, nowMilliseconds: nowMilliseconds))
    }
}
