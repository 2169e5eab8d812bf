// SPDX-License-Identifier: Apache-2.0

import Correlation
public import EpitopeModel
import GRDB

/// Which goes first: this site's own IDS, or the global center.
public enum DeliveryOrder: String, Hashable, Sendable, Codable, CaseIterable {
    case ids
    case forward
}

extension CenterStore {
    /// Reserves the day's quota for the updates that wait to go to a target, what weighs most first (``Correlation/FairQuota``). A
    /// delivery keeps its quota over a restart.
    ///
    /// - Parameter first: the target with priority. Its deliveries of the same update (or cluster) are attempted
    ///   once before these; they need not succeed, so that a global center out of reach doesn't hold up a site's
    ///   protection, nor the other way round. `nil`: these have priority.
    /// - Returns: when the quota has room for those that have to wait, in milliseconds since 1970; `nil`: none waits.
    public func reserveQuota(
        for target: DeliveryTarget, limits: QuotaLimits, yieldingTo first: DeliveryOrder?
    ) async throws(EpitopeError) -> Int64? {
        let isHeld = """
            ? AND (\(Untried.forwards("u.cluster_id")) OR \(Untried.delivery("u.id", to: .global)))
              OR ? AND \(Untried.delivery("u.id", to: .ids))
            """
        let held: StoreArguments = [first == .forward, first == .ids]
        return try await reserve(limits: limits) { transaction in
            let new = try transaction.deliveryRequests(
                to: target,
                """
                d.id IN (SELECT n.id FROM deliveries n WHERE n.target = ? AND n.state = \(DeliveryState.pending.sql)
                  AND NOT \(QuotaItem.hasQuota(.delivery, id: "n.id")) ORDER BY n.id LIMIT ?) AND NOT (\(isHeld))
                """,
                arguments: [target.rawValue, Self.maxRequests] + held, limit: Self.maxRequests)
            let queued = try QuotaKind.of(target).flatMap { kind in
                try transaction.firstQueued(
                    for: kind, limits.quota(kind), uses: transaction.uses(of: kind),
                    where: """
                        EXISTS (SELECT 1 FROM deliveries d JOIN updates u ON u.id = d.update_id
                          WHERE d.id = q.item AND u.state = \(UpdateState.proven.sql) AND NOT (\(isHeld)))
                        """,
                    arguments: held)
            }
            return try new
                + queued.flatMap { item in
                    try transaction.deliveryRequests(to: target, "d.id = ?", arguments: [item.number], limit: 1)
                }
        }
    }

    /// Reserves the day's quota for packets that wait to be forwarded; see ``reserveQuota(for:limits:yieldingTo:)``.
    public func reserveForwardQuota(
        limits: QuotaLimits, yieldingTo first: DeliveryOrder?
    ) async throws(EpitopeError) -> Int64? {
        let isHeld = "? AND (\(Untried.rules("f.cluster_id")))"
        let held: StoreArguments = [first == .ids]
        return try await reserve(limits: limits) { transaction in
            let new = try transaction.forwardRequests(
                """
                f.id IN (SELECT n.id FROM forwards n WHERE n.state = \(DeliveryState.pending.sql)
                  AND NOT \(QuotaItem.hasQuota(.forward, id: "n.id")) ORDER BY n.id LIMIT ?) AND NOT (\(isHeld))
                """,
                arguments: [Self.maxRequests] + held, limit: Self.maxRequests)
            let queued = try transaction.firstQueued(
                for: .forwards, limits.quota(.forwards), uses: transaction.uses(of: .forwards),
                where: "EXISTS (SELECT 1 FROM forwards f WHERE f.id = q.item AND NOT (\(isHeld)))", arguments: held)
            return try new + queued.flatMap { try transaction.forwardRequests("f.id = ?", arguments: [$0.number], limit: 1) }
        }
    }

    /// Marks pending deliveries to a target that is out of reach as attempted, so that they don't block the other
    /// target.
    ///
    /// - Returns: whether any was marked; only then has the other target's worker reason to look again.
    public func markAttempted(_ target: DeliveryTarget) async throws(EpitopeError) -> Bool {
        try await transaction { transaction in
            let isUntried = "state = \(DeliveryState.pending.sql) AND attempts = 0"
            try transaction.db.execute(
                sql: "UPDATE deliveries SET attempts = 1 WHERE target = ? AND \(isUntried)", arguments: [target.rawValue])
            var count = transaction.db.changesCount
            if target == .global {
                try transaction.db.execute(sql: "UPDATE forwards SET attempts = 1 WHERE \(isUntried)")
                count += transaction.db.changesCount
            }
            return count > 0
        }
    }
}

extension StoreTransaction {
    /// Deliveries that meet a condition, as requests for quota, in the order in which they were made.
    fileprivate func deliveryRequests(
        to target: DeliveryTarget, _ condition: String, arguments: StoreArguments, limit: Int
    ) throws -> [QuotaRequest] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT d.id, d.state, u.signature_id, u.origin, u.cluster_id, \(ClusterWeight.columns) FROM deliveries d
                JOIN updates u ON u.id = d.update_id LEFT JOIN cluster_sums s ON s.cluster_id = u.cluster_id
                WHERE \(db.unindexed("d.target")) = ? AND u.state = \(UpdateState.proven.sql) AND (\(condition)) ORDER BY d.id LIMIT ?
                """,
            arguments: [target.rawValue] + arguments + [limit]
        ).map { row in
            let isGlobal = (row["origin"] as String) == UpdateOrigin.global.rawValue
            return QuotaRequest(
                item: .delivery(row["id"]), state: row["state"], subject: row["signature_id"],
                quota: QuotaKind(target: target, isGlobalUpdate: isGlobal), startedDetail: "to \(target.rawValue)",
                cluster: row["cluster_id"], claim: ClusterWeight(row).claim(of: row["id"]))
        }
    }

    /// Forwards that meet a condition, as requests for quota, in the order in which they were made.
    fileprivate func forwardRequests(_ condition: String, arguments: StoreArguments, limit: Int) throws -> [QuotaRequest] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT f.id, f.state, r.id AS report, f.cluster_id, \(ClusterWeight.columns) FROM forwards f
                JOIN reports r ON r.seq = f.report_seq LEFT JOIN cluster_sums s ON s.cluster_id = f.cluster_id
                WHERE \(condition) ORDER BY f.id LIMIT ?
                """,
            arguments: arguments + [limit]
        ).map { row in
            QuotaRequest(
                item: .forward(row["id"]), state: row["state"], subject: row["report"], quota: .forwards, cluster: row["cluster_id"],
                claim: ClusterWeight(row).claim(of: row["id"]))
        }
    }
}

extension ClusterWeight {
    /// What an item weighs that rests on the cluster. An update of the global center has no cluster: it rests on what that made sure of.
    fileprivate func claim(of item: Int64) -> FairQuota.Item {
        FairQuota.Item(number: item, reporters: reporters, points: sum.points, soleSource: soleSource)
    }
}

/// SQL conditions: something pending was not attempted yet.
private enum Untried {
    /// An update is to go to a target.
    static func delivery(_ update: String, to target: DeliveryTarget) -> String {
        """
        EXISTS (SELECT 1 FROM deliveries g WHERE g.update_id = \(update) AND g.target = \(target.sql)
          AND g.state = \(DeliveryState.pending.sql) AND g.attempts = 0)
        """
    }

    /// A packet of a cluster is to go to the global center.
    static func forwards(_ cluster: String) -> String {
        """
        EXISTS (SELECT 1 FROM forwards g WHERE g.cluster_id = \(cluster)
          AND g.state = \(DeliveryState.pending.sql) AND g.attempts = 0)
        """
    }

    /// An update of a cluster is to go to the IDS, or is about to be made.
    static func rules(_ cluster: String) -> String {
        """
        EXISTS (SELECT 1 FROM updates v WHERE v.cluster_id = \(cluster) AND v.state = \(UpdateState.proven.sql)
          AND \(delivery("v.id", to: .ids)))
        OR EXISTS (SELECT 1 FROM proofs p WHERE p.cluster_id = \(cluster) AND p.state = \(ProofState.pending.sql))
        """
    }
}
