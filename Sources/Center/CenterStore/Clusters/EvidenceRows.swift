// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

extension StoreTransaction {
    /// Adds evidence to a cluster. Of each reporter and kind only the latest is kept, since each kind counts once per
    /// reporter.
    public func add(_ evidence: [WeighedEvidence], to cluster: Int64) throws {
        let upsert = try db.cachedStatement(
            sql: """
                INSERT INTO evidence (cluster_id, reporter, kind, points, time_ms) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET points = excluded.points, time_ms = max(time_ms, excluded.time_ms)
                """)
        for item in evidence {
            try upsert.execute(arguments: [cluster, item.reporter, item.kind, item.points, item.timeMilliseconds])
        }
    }

    /// The evidence later than a time.
    ///
    /// - Parameter cluster: `nil`: of all clusters.
    public func evidence(of cluster: Int64?, after start: Int64) throws -> [WeighedEvidence] {
        try Row.fetchAll(
            db,
            sql: "SELECT reporter, kind, points, time_ms FROM evidence WHERE (? IS NULL OR cluster_id = ?) AND time_ms > ?",
            arguments: [cluster, cluster, start]
        ).map { row in
            WeighedEvidence(
                reporter: row["reporter"], kind: row["kind"], points: row["points"], timeMilliseconds: row["time_ms"])
        }
    }

    /// The kinds of evidence that a cluster has later than a time.
    public func evidenceKinds(of cluster: Int64, after start: Int64) throws -> Set<String> {
        Set(
            try String.fetchAll(
                db, sql: "SELECT DISTINCT kind FROM evidence WHERE cluster_id = ? AND time_ms > ?", arguments: [cluster, start]))
    }

    /// The clusters with evidence later than a time.
    public func clustersWithEvidence(after start: Int64) throws -> [Cluster] {
        try Int64.fetchAll(
            db, sql: "SELECT DISTINCT cluster_id FROM evidence WHERE time_ms > ? ORDER BY cluster_id", arguments: [start]
        ).compactMap { try cluster($0) }
    }
}
