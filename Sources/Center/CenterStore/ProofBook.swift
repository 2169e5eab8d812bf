// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
internal import FoundationEssentials
internal import GRDB
internal import SignatureMaking
internal import SignatureProving
internal import Signatures

/// A cluster that waits for its proof, with the packets to make its signatures of.
struct VerificationTask: Sendable {
    var cluster: Cluster
    /// The oldest first; empty where only a site's update came.
    var samples: [Sample]
    /// All that the cluster held when this was read, also beyond those that the proof is made with.
    var packets: Int
}

/// What came of one.
struct CompletedVerification: Sendable {
    var task: VerificationTask
    var outcome: ProvingOutcome
}

extension CenterStore {
    /// The most packets of a cluster that its signatures are made of, the newest.
    private static let mostSamples = 256

    /// The clusters that wait for their proof, the oldest first.
    func waitingProofs(limit: Int) async throws(EpitopeError) -> [Int64] {
        try await read { db in
            try Int64.fetchAll(
                db, sql: "SELECT cluster_id FROM proofs WHERE state = 'pending' ORDER BY cluster_id LIMIT ?", arguments: [limit])
        }
    }

    /// A cluster with its packets; `nil`: it was pruned.
    func proofTask(of id: Int64) async throws(EpitopeError) -> VerificationTask? {
        try await read { db in
            guard let cluster = try ReportAnalysis.cluster(id, db: db) else { return nil }
            let encoded = try Self.newestPackets(Self.mostSamples, of: id, db: db)
            return VerificationTask(
                cluster: cluster, samples: try encoded.reversed().map { Sample(try RowCoding.decode($0)) },
                packets: try Self.countPackets(of: id, db: db))
        }
    }

    /// Keeps the outcomes of proofs in one step with the marks that they were made.
    func keep(_ made: [CompletedVerification], policy: AnalysisPolicy, material: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            for proof in made {
                // Read again: the context may have widened since.
                guard let cluster = try ReportAnalysis.cluster(proof.task.cluster.id, db: db) else { continue }
                try UpdateBuilder(db: db, policy: policy, clock: clock).keep(proof.outcome, of: cluster)
                let isMissing = try Self.missesNewer(than: proof.task, db: db)
                try db.execute(
                    sql: "UPDATE proofs SET state = ?, samples = ?, material = ? WHERE cluster_id = ?",
                    arguments: [isMissing ? "pending" : "made", proof.task.packets, material, cluster.id])
            }
        }
    }

    /// Whether a packet that came while the proof was made is matched by nothing that stands.
    private static func missesNewer(than task: VerificationTask, db: Database) throws -> Bool {
        let more = try countPackets(of: task.cluster.id, db: db) - task.packets
        guard more > 0 else { return false }
        let standing = try UpdateRow.latestOfEach(in: task.cluster, db: db).filter { $0.state == .proven }
        guard !standing.isEmpty else { return false }
        return try newestPackets(min(more, mostSamples), of: task.cluster.id, db: db).contains { data in
            let code = Sample(try RowCoding.decode(data)).code.bytes
            return !standing.contains { $0.update.signature.matches(code) }
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

    /// The newest packets of a cluster, encoded, the newest first.
    static func newestPackets(_ limit: Int, of cluster: Int64, db: Database) throws -> [Data] {
        try Data.fetchAll(
            db,
            sql: """
                SELECT packet FROM reports WHERE cluster_id = ? AND state = 'analysed' AND packet IS NOT NULL
                ORDER BY seq DESC LIMIT ?
                """,
            arguments: [cluster, limit])
    }

    static func countPackets(of cluster: Int64, db: Database) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT count(*) FROM reports WHERE cluster_id = ? AND packet IS NOT NULL", arguments: [cluster]) ?? 0
    }
}
