// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import SQLiteStore
import Synchronization

/// What a store takes, and whether another report may be stored.
final class StoreRoom: Sendable {
    let limits: ReportRoom
    /// The file's.
    private let path: String
    /// Of a PostgreSQL database, what was last seen.
    private let seen = Mutex<(bytes: Int64, time: ContinuousClock.Instant)?>(nil)
    /// That look takes some milliseconds, and what it looks at is brought up to date every few seconds.
    private static let interval = Duration.seconds(5)

    init(_ limits: ReportRoom, path: String) {
        self.limits = limits
        self.path = path
    }

    /// - Parameter leastFreeBytes: what must be free of a file's disk whatever the settings say.
    /// - Throws: `disk-full`.
    func require(in db: StoreConnection, leastFreeBytes: Int64 = 0) throws {
        switch db {
        case .sqlite(let database): try limits.check(database, path: path, leastFreeBytes: leastFreeBytes)
        case .postgres:
            guard let maxBytes = limits.maxBytes, try usedBytes(db) >= maxBytes else { return }
            throw EpitopeError.storeBound(maxBytes)
        }
    }

    /// - Throws: `disk-full` where there is no room for what becomes of the reports that are there.
    func requireForWork() throws(EpitopeError) { try limits.checkForWork(path: path) }

    /// What is in use of the file; of a PostgreSQL database about what its rows take, with their indexes: what was freed there stays its
    /// own, and is used again.
    func usedBytes(_ db: StoreConnection) throws -> Int64 {
        switch db {
        case .sqlite(let database): return try SQLiteStore.usedBytes(database)
        case .postgres:
            if let seen = seen.withLock({ $0 }), .now - seen.time < Self.interval { return seen.bytes }
            let bytes = try Int64.fetchOne(db, sql: Self.usedByRows) ?? 0
            seen.withLock { $0 = (bytes, .now) }
            return bytes
        }
    }

    /// Of each table, and of the one that its large values are kept in (`pg_toast`), the rows that count times what one takes: by the
    /// server's statistics its columns, and 28 bytes beside them; a piece of a large value 2,032 (`TOAST_MAX_CHUNK_SIZE`, and its row).
    /// Half as much again for indexes.
    private static let usedByRows = """
        SELECT CAST(1.5 * coalesce(sum(pg_stat_get_live_tuples(c.oid) * (28 + coalesce(w.width, 64))
          + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_stat_get_live_tuples(c.reltoastrelid) * 2032 END), 0) AS BIGINT)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN (SELECT tablename, sum(avg_width) AS width FROM pg_stats WHERE schemaname = 'epitope' GROUP BY tablename) w
          ON w.tablename = c.relname
        WHERE n.nspname = 'epitope' AND c.relkind = 'r'
        """
}
