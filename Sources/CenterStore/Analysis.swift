internal import Correlation
import EpitopeModel
internal import GRDB
internal import Signatures

/// The steps from a stored report to a proven update, the same for the local and the global center. One transaction
/// takes a group of reports through all of them: a center that is killed in between finds the reports as they were.
public actor ReportAnalyst {
    private let store: CenterStore
    private let policy: AnalysisPolicy
    private var index: ClusterIndex?

    /// The most reports of one transaction.
    private static let largestGroup = 128

    public init(store: CenterStore, policy: AnalysisPolicy) {
        self.store = store
        self.policy = policy
    }

    /// Analyses reports that wait, in the order in which they came.
    ///
    /// - Returns: how many; 0 when none is left.
    public func analyse() async throws -> Int {
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
        for cluster in try await store.clusters() { loaded.add(cluster: cluster.id, signature: cluster.signature) }
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
                Cluster(id: row["id"], signature: try StoredForm.value(Signature.self, row["signature"]))
            }
        }
    }
}
