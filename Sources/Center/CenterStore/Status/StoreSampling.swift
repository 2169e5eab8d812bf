// SPDX-License-Identifier: Apache-2.0

public import CenterMetrics
public import EpitopeModel
import FileAccess
import GRDB
import Novelty
import SQLiteStore
import Signatures

extension CenterStore {
    /// What the store has, for metrics. Whatever it holds, this costs no more than some milliseconds: things are counted up to
    /// ``StoreSample/maxCount``, by indexes that hold nothing else.
    public func sample() async throws(EpitopeError) -> StoreSample {
        let clock = clock
        let (path, room) = (path, room)
        return try await database.read { db in
            var sample = try StoreTransaction(db: db, clock: clock).sample()
            sample.usedBytes = try room.usedBytes(db)
            sample.limitBytes = room.limits.maxBytes
            // Here, where a disk that hangs keeps none of the threads that all share.
            switch db {
            case .sqlite:
                sample.fileBytes = Self.size(path)
                sample.walBytes = SQLiteStore.logBytes(of: path)
                sample.diskFreeBytes = FileSystemRoom(at: path)?.availableBytes
            case .postgres:
                sample.fileBytes = try Int64.fetchOne(db, sql: "SELECT pg_database_size(current_database())") ?? 0
                sample.synchronousStandbys = try Int.fetchOne(db, sql: Self.synchronousStandbys)
            }
            return sample
        }
    }

    /// NULL where none is configured, or where this user may not see them (`pg_read_all_stats`).
    private static let synchronousStandbys = """
        SELECT CASE WHEN current_setting('synchronous_standby_names') = ''
            OR EXISTS (SELECT 1 FROM pg_stat_replication WHERE state IS NULL) THEN NULL
          ELSE (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming') END
        """

    /// Stores something small, as a packet would be stored: what would keep that out keeps this out.
    ///
    /// - Throws: `disk-full`, `store-failed`, `store-unusable`.
    public func checkWriting() async throws(EpitopeError) {
        let room = room
        try await append { transaction in
            // A byte still fits, and a packet doesn't.
            try room.require(in: transaction.db, leastFreeBytes: Self.minFreeBytes)
            try transaction.setMark(.writeCheck, "\(transaction.nowMilliseconds)")
        }
    }

    /// What a few of the largest packets take.
    private static let minFreeBytes: Int64 = 1 << 20

    private static func size(_ path: String) -> Int64 { (try? FileStatus(path: path)).map { Int64($0.identity.size) } ?? 0 }
}

extension StoreTransaction {
    fileprivate func sample() throws -> StoreSample {
        var sample = StoreSample()
        sample.reportsWaiting = try count("waiting_reports")
        let oldest = try Int64.fetchOne(
            db,
            sql: """
                SELECT r.received_ms FROM waiting_reports w JOIN reports r ON r.seq = w.report_seq ORDER BY w.report_seq LIMIT 1
                """)
        sample.behindSeconds = oldest.map { Double(max(0, nowMilliseconds - $0)) / 1000 } ?? 0
        sample.proofsPending = try count("proofs WHERE state = \(ProofState.pending.sql)")
        for target in DeliveryTarget.allCases {
            for state in [DeliveryState.pending, .waitingQuota, .leaving] {
                sample.deliveries[[target.rawValue, state.rawValue]] = try count(
                    "deliveries WHERE target = \(target.sql) AND state = \(state.sql)")
            }
        }
        for state in DeliveryState.underWay { sample.forwards[state.rawValue] = try count("forwards WHERE state = \(state.sql)") }
        sample.withdrawals = try count("withdrawals")
        sample.revocations = try count("revocations")
        sample.quotas = try quotaSamples()
        sample.notices = try noticesWaiting()
        sample.feedSequence = try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM feed") ?? 0
        sample.subscriptionSequence = try subscriptionPosition().sequence
        return sample
    }

    private func quotaSamples() throws -> [String: StoreSample.Quota] {
        guard let json = try mark(.quotaLimits) else { return [:] }
        let limits = try RowCoding.value(QuotaLimits.self, json)
        return Dictionary(
            uniqueKeysWithValues: try limits.kinds.map { kind in
                let uses = "quota_uses WHERE quota = \(kind.sql) AND time_ms > ?"
                return (
                    kind.rawValue,
                    StoreSample.Quota(
                        uses: try count(uses, [nowMilliseconds - DailyQuota.windowMilliseconds]), limit: limits.limit(of: kind),
                        waiting: try count("quota_queue WHERE quota = \(kind.sql)"))
                )
            })
    }

    /// - Parameter rows: a table, and which of its rows.
    private func count(_ rows: String, _ arguments: StoreArguments = []) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT count(*) FROM (SELECT 1 FROM \(rows) LIMIT \(StoreSample.maxCount)) AS counted", arguments: arguments) ?? 0
    }
}
