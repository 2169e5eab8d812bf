internal import EpitopeModel
internal import FoundationEssentials
internal import GRDB
internal import SignatureMaking
internal import SignatureProving
internal import Signatures

/// A cluster that waits for its proof, with the packets to make its signatures of.
struct ProofTask: Sendable {
    var cluster: Cluster
    /// The oldest first; empty where only a site's update came.
    var samples: [Sample]
    /// All that the cluster held when this was read, also beyond those that the proof is made with.
    var packets: Int
}

extension CenterStore {
    /// The most packets of a cluster that its signatures are made of, the newest.
    private static let mostSamples = 256

    /// The cluster that has waited for its proof for longest; `nil`: none waits.
    func nextProof() async throws(EpitopeError) -> ProofTask? {
        try await read { db in
            guard let id = try Int64.fetchOne(db, sql: "SELECT min(cluster_id) FROM proofs WHERE state = 'pending'"),
                let cluster = try ReportAnalysis.cluster(id, db: db)
            else { return nil }
            let encoded = try Data.fetchAll(
                db,
                sql: """
                    SELECT packet FROM reports WHERE cluster_id = ? AND state = 'analysed' AND packet IS NOT NULL
                    ORDER BY seq DESC LIMIT ?
                    """,
                arguments: [id, Self.mostSamples])
            let count = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM reports WHERE cluster_id = ? AND packet IS NOT NULL", arguments: [id])
            return ProofTask(
                cluster: cluster, samples: try encoded.reversed().map { Sample(try StoredForm.decode($0)) }, packets: count ?? 0)
        }
    }

    /// Keeps the outcome of a proof in one step with the mark that it was made. Packets that came meanwhile ask again.
    func keep(_ outcome: ProvingOutcome, of task: ProofTask, policy: AnalysisPolicy, material: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            // Read again: the context may have widened since.
            guard let cluster = try ReportAnalysis.cluster(task.cluster.id, db: db) else { return }
            try UpdateMaking(db: db, policy: policy, clock: clock).keep(outcome, of: cluster)
            try db.execute(
                sql: "UPDATE proofs SET state = 'made', samples = ?, material = ? WHERE cluster_id = ?",
                arguments: [task.packets, material, cluster.id])
            let standing = try UpdateRow.latestOfEach(in: cluster, db: db).filter { $0.state == .proven }
            guard !standing.isEmpty else { return }
            let newer = try Data.fetchAll(
                db,
                sql: """
                    SELECT packet FROM reports WHERE cluster_id = ? AND packet IS NOT NULL ORDER BY seq DESC LIMIT ?
                    """,
                arguments: [cluster.id, min(Self.mostSamples, max(0, try Self.packets(of: cluster.id, db: db) - task.packets))])
            for data in newer {
                let code = Sample(try StoredForm.decode(data)).code.bytes
                guard !standing.contains(where: { $0.update.signature.matches(code) }) else { continue }
                return try db.execute(sql: "UPDATE proofs SET state = 'pending' WHERE cluster_id = ?", arguments: [cluster.id])
            }
        }
    }

    /// Has clusters for which nothing stands proven again: what they are proven with has changed.
    func askAgain(material: String) async throws(EpitopeError) {
        try await write { db in
            try db.execute(
                sql: """
                    UPDATE proofs SET state = 'pending' WHERE state = 'made' AND material <> ? AND NOT EXISTS (
                      SELECT 1 FROM updates WHERE cluster_id = proofs.cluster_id AND state = 'proven')
                    """,
                arguments: [material])
        }
    }

    private static func packets(of cluster: Int64, db: Database) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT count(*) FROM reports WHERE cluster_id = ? AND packet IS NOT NULL", arguments: [cluster]) ?? 0
    }
}
