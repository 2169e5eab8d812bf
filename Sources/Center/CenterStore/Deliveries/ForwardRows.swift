// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB
public import Signatures

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
    ///
    /// - Parameter conclusion: what the site concluded; `nil`: its evidence is below the threshold.
    public func addForward(_ candidate: ForwardDecision.Candidate, of cluster: Int64, conclusion: SiteConclusion?) throws {
        let now = nowMilliseconds
        try db.execute(
            sql: """
                INSERT INTO forwards (report_seq, cluster_id, kinds, state, created_ms, changed_ms, conclusion)
                VALUES (?, ?, ?, \(DeliveryState.pending.sql), ?, ?, ?)
                """,
            arguments: [
                candidate.report, cluster, Self.joined(candidate.kinds), now, now, try conclusion.map { try RowCoding.json($0) },
            ])
    }

    /// Has what the site concluded go out with the newest packet that was forwarded later than a time, once more if need be, where a
    /// cluster has none that was not: the global center takes the conclusion of it alone then. It keeps its use of the quota.
    ///
    /// - Parameter kinds: the conclusion as kinds (``Correlation/ForwardDecision/conclusion(points:)``).
    public func conclude(_ cluster: Int64, as conclusion: SiteConclusion, kinds: Set<String>, after start: Int64) throws {
        let newest = try Row.fetchOne(
            db,
            sql: """
                SELECT id, kinds, state FROM forwards WHERE cluster_id = ? AND created_ms > ? AND state <> \(DeliveryState.refused.sql)
                ORDER BY id DESC LIMIT 1
                """,
            arguments: [cluster, start])
        guard let newest else { return }
        let state: String = newest["state"]
        try db.execute(
            sql: "UPDATE forwards SET kinds = ?, conclusion = ?, state = ?, changed_ms = ? WHERE id = ?",
            arguments: [
                Self.joined(kinds.union(Self.kinds(newest["kinds"]))), try RowCoding.json(conclusion),
                state == DeliveryState.delivered.rawValue ? DeliveryState.pending.rawValue : state, nowMilliseconds, newest["id"] as Int64,
            ])
    }

    /// What goes out with a forward of a cluster: the site's conclusion, with the grade that its updates in force have by now.
    ///
    /// - Parameter json: as the forward's row has it.
    func conclusion(_ json: String?, of cluster: Int64) throws -> SiteConclusion? {
        guard var conclusion = json.flatMap({ try? RowCoding.value(SiteConclusion.self, $0) }) else { return nil }
        let select = try db.cachedStatement(
            sql:
                "SELECT body FROM updates WHERE cluster_id = ? AND state = \(UpdateState.proven.sql) ORDER BY id DESC LIMIT \(Self.maxGraded)"
        )
        let updates = try String.fetchAll(select, arguments: [cluster]).compactMap { try? RowCoding.value(SignatureUpdate.self, $0) }
        conclusion.grade = updates.compactMap(\.support?.grade).reduce(conclusion.grade, max)
        return conclusion
    }

    /// The updates whose grades are looked at, the newest of a cluster.
    private static let maxGraded = 4

    private static func joined(_ kinds: Set<String>) -> String { kinds.sorted().joined(separator: ",") }

    private static func kinds(_ joined: String) -> [String] {
        joined.split(separator: ",").map(String.init)
    }
}
