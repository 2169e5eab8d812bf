// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import Novelty

extension CenterStore {
    /// Removes data older than the days that packets are kept: analysed packets that are not waiting to be forwarded,
    /// their events, clusters that nothing refers to any more, and uses of quotas older than two days. Pending work
    /// is never removed.
    ///
    /// A packet that is sent again after that counts as new: ids are remembered as long as packets are.
    ///
    @discardableResult
    public func prune(olderThanDays days: Int) async throws(EpitopeError) -> Pruned {
        try await transaction { transaction in
            let cutoff = transaction.nowMilliseconds - Int64(max(1, min(days, 36500))) * DailyQuota.windowMilliseconds
            let pruned = try transaction.pruneReports(before: cutoff)
            let clusters = try transaction.pruneClusters(before: cutoff)
            try transaction.pruneQuotaUses(before: transaction.nowMilliseconds - 2 * DailyQuota.windowMilliseconds)
            if pruned > 0 { try transaction.record(.pruned, "packets", "\(pruned) older than \(days) days") }
            return Pruned(packets: pruned, clusters: clusters)
        }
    }

    /// What was removed.
    public struct Pruned: Hashable, Sendable {
        public var packets: Int
        /// Whoever has clusters in memory must read them again.
        public var clusters: Int

        init(packets: Int, clusters: Int) {
            self.packets = packets
            self.clusters = clusters
        }
    }
}

extension StoreTransaction {
    fileprivate func pruneReports(before cutoff: Int64) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM reports WHERE received_ms < ? AND state <> \(ReportState.stored.sql) AND NOT EXISTS (
                  SELECT 1 FROM forwards WHERE report_seq = reports.seq AND state IN \(DeliveryState.underWay.sql))
                """,
            arguments: [cutoff])
        let pruned = db.changesCount
        try db.execute(sql: "DELETE FROM events WHERE time_ms < ?", arguments: [cutoff])
        return pruned
    }

    fileprivate func pruneClusters(before cutoff: Int64) throws -> Int {
        try db.execute(sql: "DELETE FROM evidence WHERE time_ms < ?", arguments: [cutoff])
        try db.execute(
            sql: """
                DELETE FROM clusters WHERE created_ms < ?
                  AND NOT EXISTS (SELECT 1 FROM reports WHERE cluster_id = clusters.id)
                  AND NOT EXISTS (SELECT 1 FROM evidence WHERE cluster_id = clusters.id)
                  AND NOT EXISTS (SELECT 1 FROM updates WHERE cluster_id = clusters.id AND state = \(UpdateState.proven.sql))
                """,
            arguments: [cutoff])
        return db.changesCount
    }

    /// Keeps the uses of items that are still pending: they go out with the quota that they have.
    fileprivate func pruneQuotaUses(before cutoff: Int64) throws {
        let isPending = QuotaItem.Kind.allCases.map { kind in
            "item_kind = \(kind.sql) AND item IN (SELECT id FROM \(kind.table) WHERE state = \(DeliveryState.pending.sql))"
        }
        try db.execute(
            sql: "DELETE FROM quota_uses WHERE time_ms < ? AND NOT (\(isPending.joined(separator: " OR ")))", arguments: [cutoff])
    }
}
