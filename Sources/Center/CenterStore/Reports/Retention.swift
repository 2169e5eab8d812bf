// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
public import EpitopeModel
import GRDB
import Novelty
import SQLiteStore

extension CenterStore {
    /// Removes data older than the days that packets are kept: analysed packets that are not to be forwarded now, and those that have
    /// waited for the quota of forwards for so long, their events, updates that ended, clusters that nothing refers to any more, tokens
    /// that can't be used any more, what hosts said that they withheld, and uses of quotas older than two days. Pending work is never
    /// removed, nor what a person withdrew, nor what happened to rules and peers for a year.
    ///
    /// A packet that is sent again after that counts as new: ids are remembered as long as packets are.
    ///
    /// While the clock is in doubt nothing is removed, and what came in then is kept as long as others from when the doubt ended.
    ///
    /// It goes in small steps, each a transaction of its own, so that no packet that comes in waits for all of it.
    @discardableResult
    public func prune(olderThanDays days: Int) async throws(EpitopeError) -> Pruned {
        guard try await !areTimesDoubted(keepingDays: days) else { return Pruned(packets: 0, clusters: 0) }
        let cutoff = clock.nowMilliseconds - Int64(max(1, min(days, 36500))) * DailyQuota.windowMilliseconds
        let waited = try await inSteps { try $0.pruneWaitingForwards(before: cutoff, limit: $1) }
        counters.lost.add(.forwardsGivenUp, Int64(waited))
        let packets = try await inSteps(.reports) { try $0.pruneReports(before: cutoff, limit: $1) }
        _ = try await inSteps(.events) { try $0.pruneEvents(before: cutoff, limit: $1) }
        _ = try await inSteps(.updates) { try $0.pruneUpdates(before: cutoff, limit: $1) }
        _ = try await inSteps(.evidence) { try $0.pruneEvidence(before: cutoff, limit: $1) }
        _ = try await inSteps(.evidence) { try $0.pruneCountedPackets(before: cutoff, limit: $1) }
        let clusters = try await inSteps(.clusters) { try $0.pruneClusters(before: cutoff, limit: $1) }
        _ = try await inSteps(.tokens) { try $0.pruneTokens(before: cutoff, limit: $1) }
        _ = try await inSteps(.withheld) { try $0.pruneWithheld(before: cutoff, limit: $1) }
        _ = try await inSteps(.quotaUses) {
            try $0.pruneQuotaUses(before: $0.nowMilliseconds - 2 * DailyQuota.windowMilliseconds, limit: $1)
        }
        if packets + waited > 0 {
            let lost = waited > 0 ? "; \(waited) had waited for the quota of forwards, and are not forwarded" : ""
            try await transaction { try $0.record(.pruned, "packets", "\(packets) older than \(days) days\(lost)") }
        }
        return Pruned(packets: packets, clusters: clusters)
    }

    /// Of the room that was freed, in bytes, so much stays in the file for the packets that come, beside a quarter of what is in use.
    public static let roomKept: Int64 = 64 << 20

    /// Gives room that was freed back to the disk, in small steps, each a transaction of its own. A store that an earlier version made
    /// keeps it for what comes.
    ///
    /// - Parameter bytes: are kept for what comes.
    /// - Returns: how many bytes were given back.
    @discardableResult
    public func giveBackRoom(keeping bytes: Int64 = CenterStore.roomKept) async throws(EpitopeError) -> Int64 {
        // PostgreSQL looks after its own (autovacuum).
        guard case .sqlite(let store) = database else { return 0 }
        return try await store.giveBackRoom(keeping: bytes)
    }

    /// How much longer than others events are kept that tell what people decided, in milliseconds: a year.
    static let decisionsKept = Duration.days(365).inMilliseconds

    /// Rows a transaction.
    private static let pruneStep = 1000

    /// - Parameter kind: what is removed, to be counted; `nil`: it isn't.
    func inSteps(
        _ kind: RetainedKind? = nil, _ step: @escaping @Sendable (StoreTransaction, _ limit: Int) throws -> Int
    ) async throws(EpitopeError) -> Int {
        var all = 0
        while true {
            let removed = try await transaction { try step($0, Self.pruneStep) }
            all += removed
            if let kind { counters.removed.add(kind, Int64(removed)) }
            if kind == .clusters, counters.clusters.value >= 0 { counters.clusters.add(Int64(-removed)) }
            if removed < Self.pruneStep { return all }
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
    /// Gives up forwards that waited for their quota for so long: they keep their packets here.
    fileprivate func pruneWaitingForwards(before cutoff: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM forwards WHERE id IN (
                  SELECT id FROM forwards WHERE state = \(DeliveryState.waitingQuota.sql) AND created_ms < ? ORDER BY id LIMIT ?)
                """,
            arguments: [cutoff, limit])
        return db.changesCount
    }

    /// Removes the oldest reports, and the code that none that is left has.
    fileprivate func pruneReports(before cutoff: Int64, limit: Int) throws -> Int {
        let doubted = try doubtedTimes()
        let bodies = try Optional<Int64>.fetchAll(
            db,
            sql: """
                DELETE FROM reports WHERE seq IN (
                  SELECT r.seq FROM reports r WHERE r.received_ms < ? AND NOT (r.seq > ? AND r.seq <= ?)
                    AND NOT EXISTS (SELECT 1 FROM waiting_reports WHERE report_seq = r.seq)
                    AND NOT EXISTS (
                      SELECT 1 FROM forwards WHERE report_seq = r.seq AND state IN \(DeliveryState.underWay.sql))
                  ORDER BY r.received_ms LIMIT ?)
                RETURNING body_id
                """,
            arguments: [cutoff, doubted?.before.report ?? 0, doubted.map { $0.lastReport ?? .max } ?? 0, limit])
        for body in Set(bodies.compactMap(\.self)) {
            try db.execute(
                sql: "DELETE FROM bodies WHERE id = ? AND NOT EXISTS (SELECT 1 FROM reports WHERE body_id = bodies.id)", arguments: [body])
        }
        return bodies.count
    }

    fileprivate func pruneEvents(before cutoff: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM events WHERE seq IN (
                  SELECT seq FROM events WHERE time_ms < ? AND (time_ms < ? OR step NOT IN \(CenterEvent.decisions.sql))
                  ORDER BY time_ms LIMIT ?)
                """,
            arguments: [cutoff, cutoff - CenterStore.decisionsKept, limit])
        return db.changesCount
    }

    /// Removes the oldest evidence: of an outbreak there is a row a host.
    func pruneEvidence(before cutoff: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM evidence WHERE (cluster_id, reporter, kind) IN (
                  SELECT cluster_id, reporter, kind FROM evidence WHERE time_ms < ? ORDER BY time_ms LIMIT ?)
                """,
            arguments: [cutoff, limit])
        return db.changesCount
    }

    func pruneClusters(before cutoff: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM clusters WHERE id IN (
                  SELECT c.id FROM clusters c WHERE c.created_ms < ?
                    AND NOT EXISTS (SELECT 1 FROM analyses WHERE cluster_id = c.id)
                    AND NOT EXISTS (SELECT 1 FROM evidence WHERE cluster_id = c.id)
                    AND NOT EXISTS (SELECT 1 FROM updates WHERE cluster_id = c.id AND state = \(UpdateState.proven.sql))
                  LIMIT ?)
                """,
            arguments: [cutoff, limit])
        return db.changesCount
    }

    /// Keeps the uses of items that are still pending: they go out with the quota that they have.
    fileprivate func pruneQuotaUses(before cutoff: Int64, limit: Int) throws -> Int {
        let isPending = QuotaItem.Kind.users.map { kind in
            """
            item_kind = \(kind.sql)
              AND EXISTS (SELECT 1 FROM \(kind.table) WHERE id = item AND state = \(DeliveryState.pending.sql))
            """
        }
        try db.execute(
            sql: """
                DELETE FROM quota_uses WHERE (item_kind, item, quota) IN (
                  SELECT item_kind, item, quota FROM quota_uses
                  WHERE time_ms < ? AND NOT (\(isPending.joined(separator: " OR "))) LIMIT ?)
                """,
            arguments: [cutoff, limit])
        return db.changesCount
    }
}
