// SPDX-License-Identifier: Apache-2.0

import GRDB
import Novelty

/// The item that a use of a quota is reserved for. It keeps its use over a restart.
struct QuotaItem: Hashable, Sendable {
    /// The tables whose rows use quotas.
    enum Kind: String, CaseIterable, StoredWord {
        case delivery
        case forward

        var table: String {
            switch self {
            case .delivery: "deliveries"
            case .forward: "forwards"
            }
        }
    }

    var kind: Kind
    var id: Int64

    static func delivery(_ id: Int64) -> QuotaItem { QuotaItem(kind: .delivery, id: id) }
    static func forward(_ id: Int64) -> QuotaItem { QuotaItem(kind: .forward, id: id) }

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
    /// Reserves a use of a quota for an item.
    func reserve(_ quota: QuotaKind, for item: QuotaItem, limits: QuotaLimits) throws -> QuotaReservation {
        let isReserved = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM quota_uses WHERE quota = ? AND item_kind = ? AND item = ?)",
            arguments: [quota.rawValue, item.kind.rawValue, item.id])
        if isReserved == true { return .existing }
        guard try use(of: quota, limits: limits).left > 0 else { return .exhausted }
        try use(quota, for: item)
        return .new
    }

    /// Counts a use of a quota for an item, whatever is left of it.
    func use(_ quota: QuotaKind, for item: QuotaItem) throws {
        try db.execute(
            sql: "INSERT OR IGNORE INTO quota_uses (quota, item_kind, item, time_ms) VALUES (?, ?, ?, ?)",
            arguments: [quota.rawValue, item.kind.rawValue, item.id, nowMilliseconds])
    }

    /// Releases the use of an item that was refused before it took effect.
    func release(_ item: QuotaItem) throws {
        try db.execute(
            sql: "DELETE FROM quota_uses WHERE item_kind = ? AND item = ?", arguments: [item.kind.rawValue, item.id])
    }

    /// How much of a quota is used within the last day.
    func use(of kind: QuotaKind, limits: QuotaLimits) throws -> QuotaUse {
        let times = try Int64.fetchAll(
            db, sql: "SELECT time_ms FROM quota_uses WHERE quota = ? AND time_ms > ?",
            arguments: [kind.rawValue, nowMilliseconds - DailyQuota.windowMilliseconds])
        let quota = DailyQuota(limit: limits.limit(of: kind))
        let left = quota.remaining(uses: times, nowMilliseconds: nowMilliseconds)
        return QuotaUse(
            limit: quota.limit, left: left,
            reopensMilliseconds: left > 0 ? nil : quota.nextAllowed(uses: times, nowMilliseconds: nowMilliseconds))
    }
}
