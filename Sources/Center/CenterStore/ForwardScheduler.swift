// SPDX-License-Identifier: Apache-2.0

internal import Correlation
internal import GRDB

/// Chooses the packets of a cluster that go to the global center: those that bring a kind of evidence that no packet
/// forwarded within the window has brought yet. At the global center each kind counts once for this site, so more
/// would only use the quota up.
struct ForwardScheduler {
    private static let mostCandidates = 256

    private let analysis: ReportAnalysis
    private var db: Database { analysis.db }

    init(_ analysis: ReportAnalysis) {
        self.analysis = analysis
    }

    func plan(for cluster: Int64) throws {
        let now = analysis.clock.nowMilliseconds
        let start = analysis.policy.threshold.windowStart(nowMilliseconds: now)
        var covered = Set(
            try String.fetchAll(
                db, sql: "SELECT kinds FROM forwards WHERE cluster_id = ? AND created_ms > ? AND state <> 'refused'",
                arguments: [cluster, start]
            ).flatMap(Self.kinds))
        let kinds = Set(
            try String.fetchAll(
                db, sql: "SELECT DISTINCT kind FROM evidence WHERE cluster_id = ? AND time_ms > ?",
                arguments: [cluster, start]))
        guard !kinds.subtracting(covered).isEmpty else { return }
        let candidates = try Row.fetchAll(
            db,
            sql: """
                SELECT seq, id, kinds FROM reports
                WHERE cluster_id = ? AND received_ms > ? AND packet IS NOT NULL
                  AND NOT EXISTS (SELECT 1 FROM forwards WHERE report_seq = reports.seq)
                ORDER BY seq DESC LIMIT ?
                """,
            arguments: [cluster, start, Self.mostCandidates])
        for row in candidates.reversed() {
            let own = Set(Self.kinds(row["kinds"]))
            guard !own.subtracting(covered).isEmpty else { continue }
            covered.formUnion(own)
            let (sequence, joined): (Int64, String) = (row["seq"], row["kinds"])
            try db.execute(
                sql: """
                    INSERT INTO forwards (report_seq, cluster_id, kinds, state, created_ms, changed_ms)
                    VALUES (?, ?, ?, 'pending', ?, ?)
                    """,
                arguments: [sequence, cluster, joined, now, now])
        }
    }

    private static func kinds(_ joined: String) -> [String] {
        joined.split(separator: ",").map(String.init)
    }
}
