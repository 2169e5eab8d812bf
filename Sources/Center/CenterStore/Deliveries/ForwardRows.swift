// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

extension StoreTransaction {
    /// The kinds of evidence that forwards of a cluster brought to the global center later than a time; refused
    /// forwards brought none.
    public func forwardedKinds(of cluster: Int64, after start: Int64) throws -> Set<String> {
        Set(
            try String.fetchAll(
                db,
                sql: """
                    SELECT kinds FROM forwards
                    WHERE cluster_id = ? AND created_ms > ? AND state <> \(DeliveryState.refused.sql)
                    """,
                arguments: [cluster, start]
            ).flatMap(Self.kinds))
    }

    /// Of a cluster's newest packets those that came in later than a time and were not forwarded, oldest first.
    ///
    /// - Parameter limit: how many packets are looked at.
    public func forwardCandidates(of cluster: Int64, after start: Int64, limit: Int) throws -> [ForwardDecision.Candidate] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT a.report_seq AS seq, a.kinds FROM (
                  SELECT report_seq, kinds FROM analyses WHERE cluster_id = ? AND is_packet = 1 ORDER BY report_seq DESC LIMIT ?
                ) a JOIN reports r ON r.seq = a.report_seq
                WHERE r.received_ms > ? AND NOT EXISTS (SELECT 1 FROM forwards WHERE report_seq = a.report_seq)
                ORDER BY a.report_seq DESC
                """,
            arguments: [cluster, limit, start]
        ).reversed().map { row in
            ForwardDecision.Candidate(report: row["seq"], kinds: Set(Self.kinds(row["kinds"])))
        }
    }

    /// Schedules a packet of a cluster to be forwarded.
    public func addForward(_ candidate: ForwardDecision.Candidate, of cluster: Int64) throws {
        let now = nowMilliseconds
        try db.execute(
            sql: """
                INSERT INTO forwards (report_seq, cluster_id, kinds, state, created_ms, changed_ms)
                VALUES (?, ?, ?, \(DeliveryState.pending.sql), ?, ?)
                """,
            arguments: [candidate.report, cluster, candidate.kinds.sorted().joined(separator: ","), now, now])
    }

    private static func kinds(_ joined: String) -> [String] {
        joined.split(separator: ",").map(String.init)
    }
}
