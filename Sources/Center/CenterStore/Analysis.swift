// SPDX-License-Identifier: Apache-2.0

internal import Correlation
import EpitopeModel
internal import GRDB
public import SignatureProving
internal import Signatures

/// The steps from a stored report to a proven update, the same for the local and the global center.
///
/// One transaction takes a group of reports to the threshold and marks the clusters that reached it. Their signatures
/// are made and proven outside of any transaction, since that may read captures and scan goodware, and one more
/// transaction a cluster keeps what came of it. A center that is killed in between finds the mark, and proves again.
public actor ReportAnalyst {
    private let store: CenterStore
    private let policy: AnalysisPolicy
    private let provers: ProverSource
    private var index: ClusterIndex?
    /// What the clusters without a proven signature were last tried with.
    private var material: String?

    /// The most reports of one transaction.
    private static let largestGroup = 128
    /// How long a proof that was made waits for others to be kept in the same transaction.
    private static let longestWithheld = Duration.milliseconds(20)

    public init(store: CenterStore, policy: AnalysisPolicy, provers: ProverSource) {
        self.store = store
        self.policy = policy
        self.provers = provers
    }

    /// Analyses reports that wait, in the order in which they came, and makes the proofs that wait.
    ///
    /// - Returns: how many reports, or where there were none, proofs; 0 when nothing is left.
    public func analyse() async throws -> Int {
        let reports = try await analyseReports()
        let proofs = try await makeProofs()
        return max(reports, proofs)
    }

    private func makeProofs() async throws -> Int {
        let (prover, material) = provers.current()
        if self.material != material {
            try await store.askAgain(material: material)
            self.material = material
        }
        let waiting = try await store.waitingProofs(limit: Self.largestGroup)
        var made: [CompletedVerification] = []
        var since = ContinuousClock.now
        for cluster in waiting {
            try Task.checkCancellation()
            guard let task = try await store.proofTask(of: cluster) else { continue }
            made.append(CompletedVerification(task: task, outcome: prover.prove(task.samples, given: task.cluster.signature)))
            // Quick ones share a transaction; behind a slow one nobody waits.
            guard ContinuousClock.now - since > Self.longestWithheld else { continue }
            try await keep(made, material: material)
            (made, since) = ([], .now)
        }
        if !made.isEmpty { try await keep(made, material: material) }
        return waiting.count
    }

    /// Keeps what was made, and files new packets that it matches under its cluster from now on.
    private func keep(_ made: [CompletedVerification], material: String) async throws {
        try await store.keep(made, policy: policy, material: material)
        for proof in made {
            for item in proof.outcome.proven { index?.add(cluster: proof.task.cluster.id, signature: item.signature) }
        }
    }

    private func analyseReports() async throws -> Int {
        let known = try await loadedIndex()
        let (policy, clock) = (policy, store.clock)
        let (count, found) = try await store.write { db in
            let rows = try ReportRow.waiting(db, limit: Self.largestGroup)
            var analysis = ReportAnalysis(db: db, policy: policy, clock: clock, known: known)
            for row in rows { try analysis.analyse(row) }
            return (rows.count, analysis.found)
        }
        for cluster in found { index?.add(cluster: cluster.id, signature: cluster.signature) }
        return count
    }

    /// Forgets the clusters in memory, after the store has pruned some.
    public func reload() {
        index = nil
    }

    private func loadedIndex() async throws -> ClusterIndex {
        if let index { return index }
        var loaded = ClusterIndex()
        for cluster in try await store.clusters() + store.signaturesInForce() {
            loaded.add(cluster: cluster.id, signature: cluster.signature)
        }
        index = loaded
        return loaded
    }
}

/// A cluster of like packets, and the signature that it goes by.
struct Cluster: Sendable {
    var id: Int64
    var signature: Signature
}

extension CenterStore {
    func clusters() async throws -> [Cluster] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT id, signature FROM clusters ORDER BY id").map { row in
                Cluster(id: row["id"], signature: try RowCoding.value(Signature.self, row["signature"]))
            }
        }
    }

    /// The signatures in force that were made of clusters' packets.
    func signaturesInForce() async throws -> [Cluster] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT cluster_id, id, state, body FROM updates WHERE state = 'proven' AND cluster_id IS NOT NULL ORDER BY id"
            ).map { row in Cluster(id: row["cluster_id"], signature: try UpdateRow(row).update.signature) }
        }
    }
}
