// SPDX-License-Identifier: Apache-2.0

internal import Correlation
import EpitopeModel
internal import GRDB
internal import Signatures

/// One transaction's work on reports: signature, cluster, evidence, threshold; where it is reached, a proof is asked
/// for and forwards are planned. The proof itself, which may read captures, is made outside of any transaction.
struct ReportAnalysis {
    let db: Database
    let policy: AnalysisPolicy
    let clock: CenterClock
    /// The clusters known before this transaction.
    let known: ClusterIndex
    /// Those that it made.
    private(set) var found: [Cluster] = []
    private var fresh = ClusterIndex()

    init(db: Database, policy: AnalysisPolicy, clock: CenterClock, known: ClusterIndex) {
        self.db = db
        self.policy = policy
        self.clock = clock
        self.known = known
    }

    mutating func analyse(_ row: ReportRow) throws {
        let signed: SignedReport
        do {
            signed = try SignedReport(row)
        } catch {
            // One bad report must not stop those behind it.
            try db.execute(
                sql: "UPDATE reports SET state = 'unusable', reason = ? WHERE seq = ?",
                arguments: [error.description, row.sequence])
            try note(.unusable, row.id, error.description)
            return
        }
        try note(.signed, row.id, "\(signed.signature.id), \(signed.source)")
        let cluster = try cluster(for: signed)
        try note(.clustered, row.id, "cluster \(cluster.id) of signature \(cluster.signature.id)")
        try keep(signed, of: row, in: cluster)
        let decision = try weigh(cluster.id)
        try note(
            .weighed, row.id,
            "\(decision.points) of \(policy.threshold.points) points" + (decision.isReached ? ", threshold reached" : ""))
        if decision.isReached {
            for reached in try clustersReached(with: cluster) {
                let newest = reached.id == cluster.id ? signed.sample : nil
                try ProofScheduler(db: db, policy: policy, nowMilliseconds: clock.nowMilliseconds).plan(for: reached, newest: newest)
            }
        }
        switch policy.forwards {
        case .never: break
        case .reached: if decision.isReached { try ForwardScheduler(self).plan(for: cluster.id) }
        case .all: try ForwardScheduler(self).plan(for: cluster.id)
        }
    }

    private mutating func cluster(for signed: SignedReport) throws -> Cluster {
        let sample = signed.sample ?? []
        if let id = try known.cluster(for: signed.signature, sample: sample)
            ?? fresh.cluster(for: signed.signature, sample: sample) ?? alike(signed), var cluster = try Self.cluster(id, db: db)
        {
            let merged = cluster.signature.context.merged(with: signed.signature.context)
            if merged != cluster.signature.context {
                cluster.signature.context = merged
                try db.execute(
                    sql: "UPDATE clusters SET signature = ? WHERE id = ?",
                    arguments: [try RowCoding.json(cluster.signature), id])
            }
            return cluster
        }
        try db.execute(
            sql: "INSERT INTO clusters (signature_id, signature, created_ms) VALUES (?, ?, ?)",
            arguments: [signed.signature.id, try RowCoding.json(signed.signature), clock.nowMilliseconds])
        let cluster = Cluster(id: db.lastInsertedRowID, signature: signed.signature)
        fresh.add(cluster: cluster.id, signature: cluster.signature)
        found.append(cluster)
        return cluster
    }

    /// The cluster that a packet is a variant of, by its code.
    private func alike(_ signed: SignedReport) throws -> Int64? {
        guard let packet = signed.packet else { return nil }
        let context = signed.signature.context
        let newest =
            fresh.newest(of: context, most: CodeSimilarity.mostClusters) + known.newest(of: context, most: CodeSimilarity.mostClusters)
        return try CodeSimilarity(db: db).first(of: Array(newest.prefix(CodeSimilarity.mostClusters)), like: packet)
    }

    static func cluster(_ id: Int64, db: Database) throws -> Cluster? {
        guard let json = try String.fetchOne(db, sql: "SELECT signature FROM clusters WHERE id = ?", arguments: [id])
        else { return nil }
        return Cluster(id: id, signature: try RowCoding.value(Signature.self, json))
    }

    private func keep(_ signed: SignedReport, of row: ReportRow, in cluster: Cluster) throws {
        for evidence in signed.evidence {
            let upsert = try db.cachedStatement(
                sql: """
                    INSERT INTO evidence (cluster_id, reporter, kind, points, time_ms) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET points = excluded.points, time_ms = max(time_ms, excluded.time_ms)
                    """)
            try upsert.execute(arguments: [
                cluster.id, evidence.reporter, evidence.kind, evidence.points, evidence.timeMilliseconds,
            ])
        }
        try db.execute(
            sql: "UPDATE reports SET state = 'analysed', cluster_id = ?, kinds = ? WHERE seq = ?",
            arguments: [
                cluster.id, Set(signed.evidence.map(\.kind)).sorted().joined(separator: ","), row.sequence,
            ])
    }

    private func weigh(_ cluster: Int64) throws -> ThresholdDecision {
        let now = clock.nowMilliseconds
        let all = policy.threshold.counter == .site
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT reporter, kind, points, time_ms FROM evidence WHERE (? OR cluster_id = ?) AND time_ms > ?",
            arguments: [all, cluster, policy.threshold.windowStart(nowMilliseconds: now)])
        let evidence = rows.map { row in
            WeighedEvidence(
                reporter: row["reporter"], kind: row["kind"], points: row["points"], timeMilliseconds: row["time_ms"])
        }
        return policy.threshold.decide(evidence, nowMilliseconds: now)
    }

    /// The clusters that an update is due for. When the site's one counter is reached, that is every cluster that
    /// brought evidence to it.
    private func clustersReached(with cluster: Cluster) throws -> [Cluster] {
        guard policy.threshold.counter == .site else { return [cluster] }
        let start = policy.threshold.windowStart(nowMilliseconds: clock.nowMilliseconds)
        let ids = try Int64.fetchAll(
            db, sql: "SELECT DISTINCT cluster_id FROM evidence WHERE time_ms > ? ORDER BY cluster_id", arguments: [start])
        return try ids.compactMap { try Self.cluster($0, db: db) }
    }

    func note(_ step: CenterEvent.Step, _ subject: String, _ detail: String) throws {
        try db.record(step, subject, detail, at: clock.preciseMilliseconds())
    }
}
