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
        try await reserve(limits: limits) { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT d.id, d.state, u.signature_id, u.origin, \(QuotaClaims.columns) FROM deliveries d
                    JOIN updates u ON u.id = d.update_id LEFT JOIN cluster_sums s ON s.cluster_id = u.cluster_id
                    WHERE d.target = ? AND d.state IN \(DeliveryState.underWay.sql) AND u.state = \(UpdateState.proven.sql)
                      AND NOT (? AND (\(Untried.forwards("u.cluster_id")) OR \(Untried.delivery("u.id", to: .global))))
                      AND NOT (? AND \(Untried.delivery("u.id", to: .ids)))
                    ORDER BY d.id
                    """,
                arguments: [target.rawValue, first == .forward, first == .ids]
            ).map { row in
                let isGlobal = (row["origin"] as String) == UpdateOrigin.global.rawValue
                return QuotaRequest(
                    item: .delivery(row["id"]), state: row["state"], subject: row["signature_id"],
                    quota: QuotaKind(target: target, isGlobalUpdate: isGlobal), startedDetail: "to \(target.rawValue)",
                    claim: QuotaClaims.claim(row))
            }
        }
    }

    /// Reserves the day's quota for packets that wait to be forwarded; see ``reserveQuota(for:limits:yieldingTo:)``.
    public func reserveForwardQuota(
        limits: QuotaLimits, yieldingTo first: DeliveryOrder?
    ) async throws(EpitopeError) -> Int64? {
        try await reserve(limits: limits) { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT f.id, f.state, r.id AS report, \(QuotaClaims.columns) FROM forwards f
                    JOIN reports r ON r.seq = f.report_seq LEFT JOIN cluster_sums s ON s.cluster_id = f.cluster_id
                    WHERE f.state IN \(DeliveryState.underWay.sql) AND NOT (? AND (\(Untried.rules("f.cluster_id"))))
                    ORDER BY f.id
                    """,
                arguments: [first == .ids]
            ).map { row in
                QuotaRequest(
                    item: .forward(row["id"]), state: row["state"], subject: row["report"], quota: .forwards,
                    claim: QuotaClaims.claim(row))
            }
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

/// What the evidence of an item's cluster weighs, for its claim on a quota.
private enum QuotaClaims {
    /// Of `cluster_sums s`. An update of the global center has no cluster: it rests on what that made sure of.
    static let columns = "coalesce(s.known_reporters, 0) AS reporters, coalesce(s.points, 0) AS points, s.first_reporter"

    static func claim(_ row: Row) -> FairQuota.Item {
        let reporters: Int = row["reporters"]
        return FairQuota.Item(
            number: row["id"], reporters: reporters, points: row["points"], soleReporter: reporters == 1 ? row["first_reporter"] : nil)
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
