// SPDX-License-Identifier: Apache-2.0

internal import Correlation
internal import GRDB
internal import Signatures

/// Decides, as reports come in, for which clusters signatures are to be made and proven.
struct ProofScheduler {
    let db: Database
    let policy: AnalysisPolicy
    let nowMilliseconds: Int64

    /// Asks for a proof when the cluster never had one, when what stands is due for a next revision or misses the
    /// newest packet, or when nothing stands and the cluster has grown.
    ///
    /// - Parameter newest: the code of the packet that came now; `nil`: none did.
    func plan(for cluster: Cluster, newest: [UInt8]?) throws {
        guard !policy.targets.isEmpty, try !Self.isWithdrawn(cluster, db: db) else { return }
        guard let row = try Row.fetchOne(db, sql: "SELECT state, samples FROM proofs WHERE cluster_id = ?", arguments: [cluster.id])
        else { return try ask(cluster) }
        let (state, samples): (String, Int) = (row["state"], row["samples"])
        guard state != "pending" else { return }
        let latest = try UpdateRow.latestOfEach(in: cluster, db: db)
        let standing = try latest.filter { try $0.latestState(db: db, nowMilliseconds: nowMilliseconds) == .standing }
        let isRenewalDue = try latest.contains { row in
            let state = try row.latestState(db: db, nowMilliseconds: nowMilliseconds)
            // What ended is made anew only when nothing else stands for the cluster.
            guard state == .standing || standing.isEmpty else { return false }
            let known = UpdateDecision.Latest(update: row.update, state: state)
            if case .make = UpdateDecision(latest: known, context: cluster.signature.context, nowMilliseconds: nowMilliseconds) {
                return true
            }
            return false
        }
        let isMissed = newest.map { code in !standing.isEmpty && !standing.contains { $0.update.signature.matches(code) } } ?? false
        let hasGrown = try standing.isEmpty && Self.step(try CenterStore.countPackets(of: cluster.id, db: db)) > Self.step(samples)
        if isRenewalDue || isMissed || hasGrown { try ask(cluster) }
    }

    private func ask(_ cluster: Cluster) throws {
        try db.execute(
            sql: "INSERT INTO proofs (cluster_id, state) VALUES (?, 'pending') ON CONFLICT DO UPDATE SET state = 'pending'",
            arguments: [cluster.id])
    }

    /// How many of the sizes 1, 2, 5, 10, 20, 50, ... a cluster has reached.
    static func step(_ packets: Int) -> Int {
        var (step, size) = (0, 1)
        while size <= packets {
            step += 1
            // 1, 2, 5, 10: the middle one of three is followed by two and a half times as many.
            size = step % 3 == 2 ? size / 2 * 5 : size * 2
        }
        return step
    }

    /// A person who withdrew any signature of the cluster wants none of it.
    static func isWithdrawn(_ cluster: Cluster, db: Database) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM withdrawals WHERE signature_id = ?
                  OR signature_id IN (SELECT signature_id FROM updates WHERE cluster_id = ?))
                """,
            arguments: [cluster.signature.id, cluster.id]) ?? false
    }
}
