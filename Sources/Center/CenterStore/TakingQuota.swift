// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB

/// Which of the two goes first: this site's own IDS, or the global center.
public enum DeliveryOrder: String, Hashable, Sendable, Codable, CaseIterable {
    case ids
    case forward
}

extension CenterStore {
    /// Takes the day's quota for what waits to go to a target, oldest first, in one step with the mark that it is
    /// taken: after a restart the same delivery goes on with the quota that it has.
    ///
    /// What goes second waits until the other was tried once (not until it succeeded: a global center that is out of
    /// reach must not hold up a site's protection, nor the other way round).
    ///
    /// - Returns: when the quota reopens for what has to wait, in milliseconds since 1970; `nil`: nothing waits.
    public func takeQuota(
        for target: DeliveryTarget, limits: QuotaLimits, after first: DeliveryOrder?
    ) async throws(EpitopeError) -> Int64? {
        let clock = clock
        return try await write { db in
            let book = QuotaUsage(db: db, limits: limits, nowMilliseconds: clock.nowMilliseconds)
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.id, d.state, u.signature_id, u.origin FROM deliveries d
                    JOIN updates u ON u.id = d.update_id
                    WHERE d.target = ? AND d.state IN ('pending', 'waiting-quota') AND u.state = 'proven'
                      AND NOT (? AND \(Self.untriedForwards)) AND NOT (? AND \(Self.untriedRules)) ORDER BY d.id
                    """,
                arguments: [target.rawValue, first == .forward, first == .ids])
            var reopens: Int64?
            for row in rows {
                let (id, state, signatureID, origin): (Int64, String, String, String) = (
                    row["id"], row["state"], row["signature_id"], row["origin"]
                )
                let quota = QuotaKind(target: target, isGlobalUpdate: origin == "global")
                let hadIt = try book.isTaken(quota, for: "delivery \(id)")
                let taken = try book.take(quota, for: "delivery \(id)")
                if taken, !hadIt {
                    try db.record(.delivering, signatureID, "to \(target.rawValue)", at: clock.preciseMilliseconds())
                }
                let next: DeliveryState = taken ? .pending : .waitingQuota
                if !taken { reopens = min(reopens ?? .max, try book.use(of: quota).reopensMilliseconds ?? .max) }
                guard next.rawValue != state else { continue }
                try db.execute(
                    sql: "UPDATE deliveries SET state = ?, changed_ms = ? WHERE id = ?",
                    arguments: [next.rawValue, clock.nowMilliseconds, id])
                if !taken {
                    try db.record(
                        .quotaExceeded, signatureID, "\(limits.limit(of: quota)) a day: \(quota.rawValue)",
                        at: clock.preciseMilliseconds())
                }
            }
            return reopens
        }
    }

    /// Of the update's cluster, something is to go to the global center that was not tried yet.
    private static let untriedForwards = """
        (EXISTS (SELECT 1 FROM forwards f
          WHERE f.cluster_id = u.cluster_id AND f.state = 'pending' AND f.attempts = 0)
         OR EXISTS (SELECT 1 FROM deliveries g
          WHERE g.update_id = u.id AND g.target = 'global' AND g.state = 'pending' AND g.attempts = 0))
        """

    /// The update is to go to the IDS, and was not tried yet.
    private static let untriedRules = """
        EXISTS (SELECT 1 FROM deliveries g
          WHERE g.update_id = u.id AND g.target = 'ids' AND g.state = 'pending' AND g.attempts = 0)
        """

    /// Counts what waits for a target that is out of reach as tried, so that what goes second isn't held up by it.
    ///
    /// - Returns: whether there was anything to count; only then has the other lane cause to look again.
    public func markTried(_ target: DeliveryTarget) async throws(EpitopeError) -> Bool {
        try await write { db in
            try db.execute(
                sql: "UPDATE deliveries SET attempts = 1 WHERE target = ? AND state = 'pending' AND attempts = 0",
                arguments: [target.rawValue])
            var count = db.changesCount
            if target == .global {
                try db.execute(sql: "UPDATE forwards SET attempts = 1 WHERE state = 'pending' AND attempts = 0")
                count += db.changesCount
            }
            return count > 0
        }
    }
}

extension QuotaKind {
    init(target: DeliveryTarget, isGlobalUpdate: Bool) {
        switch target {
        case .global: self = .reportedUpdates
        case .ids, .feed: self = isGlobalUpdate ? .globalUpdates : .updates
        }
    }
}
