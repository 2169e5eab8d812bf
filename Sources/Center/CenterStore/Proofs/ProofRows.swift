// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

/// Where the proof of a cluster's signatures stands.
enum ProofState: String, CaseIterable, StoredWord {
    /// Requested: signatures are to be made and proven.
    case pending
    /// Not requested: what it would make may not be published yet.
    case waiting
    /// Not requested: what it would make is beyond the day's quota of publications.
    case waitingQuota = "waiting-quota"
    /// Done, and its outcome is stored.
    case made

    /// What keeps an attack from being published.
    static let unpublished: [ProofState] = [.waiting, .waitingQuota]
}

extension StoreTransaction {
    /// The proof of a cluster, as far as the decision on the next one needs it.
    public func proofProgress(of cluster: Int64) throws -> ProofDecision.Progress {
        guard let row = try Row.fetchOne(db, sql: "SELECT state, samples FROM proofs WHERE cluster_id = ?", arguments: [cluster])
        else { return .never }
        let (state, packets): (String, Int) = (row["state"], row["samples"])
        return switch ProofState(rawValue: state) {
        case .pending: .pending
        case .waiting, .waitingQuota: .never
        case .made, nil: .made(packets: packets)
        }
    }

    func isProofPending(of cluster: Int64) throws -> Bool { try proofProgress(of: cluster) == .pending }

    /// Requests a proof of a cluster's signatures. A second request before it is made changes nothing.
    ///
    /// - Parameter holder: in whose share the first request counts; `nil`: in nobody's.
    public func requestProof(of cluster: Int64, countedFor holder: ReportSource? = nil) throws {
        let (pending, unpublished) = (ProofState.pending.sql, ProofState.unpublished.sql)
        try db.execute(
            sql: """
                INSERT INTO proofs (cluster_id, state, sole_reporter, sole_machine) VALUES (?, \(pending), ?, ?)
                ON CONFLICT (cluster_id) DO UPDATE SET state = \(pending),
                  sole_reporter = CASE WHEN proofs.state IN \(unpublished) THEN excluded.sole_reporter ELSE proofs.sole_reporter END,
                  sole_machine = CASE WHEN proofs.state IN \(unpublished) THEN excluded.sole_machine ELSE proofs.sole_machine END
                """,
            arguments: [cluster, holder?.reporter, holder?.machine])
        try db.execute(sql: "UPDATE proofs SET \(Self.weighed) WHERE cluster_id = ?", arguments: [cluster])
    }

    /// Sets what the proof's cluster weighs, as it is from then on kept (``reweigh(_:as:)``).
    private static let weighed = """
        (reporters, points) = (SELECT coalesce(max(s.known_reporters), 0), coalesce(max(s.points), 0)
          FROM cluster_sums s WHERE s.cluster_id = proofs.cluster_id)
        """

    /// Forgets the request for the proof of a cluster that can't be read.
    public func forgetUnreadableProof(of cluster: Int64) throws {
        guard try readableCluster(cluster) == nil else { return }
        try db.execute(sql: "DELETE FROM proofs WHERE cluster_id = ?", arguments: [cluster])
        guard db.changesCount > 0 else { return }
        try record(.unproven, "cluster \(cluster)", "its record can't be read: its next report makes it anew")
    }

    /// Takes a proof that could not be made or stored for made: it must not keep others from being made.
    public func abandonProof(of cluster: Int64, reason: String) throws {
        try db.execute(
            sql: """
                UPDATE proofs SET state = \(ProofState.made.sql), material = '',
                  samples = coalesce((SELECT packets FROM cluster_sums WHERE cluster_id = ?1), 0)
                WHERE cluster_id = ?1
                """,
            arguments: [cluster])
        try record(.unproven, "cluster \(cluster)", "its proof could not be made: \(reason)")
    }

    /// Has a cluster wait until it may be published.
    ///
    /// - Returns: whether it didn't before.
    public func holdProof(of cluster: Int64) throws -> Bool { try hold(cluster, as: .waiting) }

    /// - Returns: whether it was not held so before.
    func hold(_ cluster: Int64, as state: ProofState) throws -> Bool {
        try db.execute(
            sql: """
                INSERT INTO proofs (cluster_id, state) VALUES (?, \(state.sql))
                ON CONFLICT (cluster_id) DO UPDATE SET state = \(state.sql) WHERE proofs.state <> \(state.sql)
                """,
            arguments: [cluster])
        return db.changesCount > 0
    }

    /// Requests the proofs that wait of what somebody reported.
    func releaseProofs(reportedBy reporter: String) throws -> Int {
        try db.execute(
            sql: """
                UPDATE proofs SET state = \(ProofState.pending.sql), \(Self.weighed), (sole_reporter, sole_machine) = (
                  SELECT CASE known_reporters WHEN 1 THEN first_reporter END, CASE known_reporters WHEN 1 THEN first_machine END
                  FROM cluster_sums s WHERE s.cluster_id = proofs.cluster_id)
                WHERE state = \(ProofState.waiting.sql)
                  AND EXISTS (SELECT 1 FROM evidence e WHERE e.cluster_id = proofs.cluster_id AND e.reporter = ?)
                """,
            arguments: [reporter])
        return db.changesCount
    }

    /// In whose share the proof of a cluster counts; `nil`: in nobody's, or there is none.
    public func proofHolder(of cluster: Int64) throws -> ReportSource? {
        let select = try db.cachedStatement(sql: "SELECT sole_reporter, sole_machine FROM proofs WHERE cluster_id = ?")
        return try Row.fetchOne(select, arguments: [cluster]).flatMap { .known($0["sole_reporter"], at: $0["sole_machine"]) }
    }

    /// Has the proof of a cluster count in somebody's share, and in nobody else's.
    public func count(proofOf cluster: Int64, for holder: ReportSource) throws {
        try db.execute(
            sql: "UPDATE proofs SET sole_reporter = ?, sole_machine = ? WHERE cluster_id = ?",
            arguments: [holder.reporter, holder.machine, cluster])
    }

    /// How many clusters have proofs that count in one reporter's share, or in that of one machine, as far as that is less than a limit.
    public func countProofs(onWordOf source: ReportSource, limit: Int) throws -> Int {
        let select = try db.cachedStatement(
            sql: """
                SELECT count(*) FROM (
                  SELECT cluster_id FROM proofs WHERE sole_reporter = ?1 UNION SELECT cluster_id FROM proofs WHERE sole_machine = ?2
                  LIMIT ?3) AS own
                """)
        return try Int.fetchOne(select, arguments: [source.reporter, source.machine, limit]) ?? 0
    }

    /// Requests the proof of every cluster without a proven signature again, because other material is at hand than
    /// the last proof was made with.
    ///
    /// - Parameter material: names what signatures are proven with now.
    public func requeueUnproven(material: String) throws {
        try db.execute(
            sql: """
                UPDATE proofs SET state = \(ProofState.pending.sql), \(Self.weighed)
                WHERE state = \(ProofState.made.sql) AND material <> ? AND NOT EXISTS (
                  SELECT 1 FROM updates WHERE cluster_id = proofs.cluster_id AND state = \(UpdateState.proven.sql))
                """,
            arguments: [material])
    }

    /// The clusters whose proof is requested, what weighs most first: the number of reporters, then points, then age; each with on whose
    /// word it rests (``sources(of:)``).
    public func pendingProofs(limit: Int) throws -> [(cluster: Int64, sources: [ReportSource])] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT cluster_id, reporters, sole_reporter, sole_machine FROM proofs WHERE state = \(ProofState.pending.sql)
                ORDER BY reporters DESC, points DESC, cluster_id LIMIT ?
                """,
            arguments: [limit]
        ).map { row in
            let (cluster, reporters): (Int64, Int) = (row["cluster_id"], row["reporters"])
            let holder = ReportSource.known(row["sole_reporter"], at: row["sole_machine"])
            // Of most there is one, which needn't be looked for.
            guard reporters <= 1, let holder else { return (cluster, try sources(of: cluster)) }
            return (cluster, [holder])
        }
    }

    /// Marks a proof as made.
    ///
    /// - Parameters:
    ///   - packets: how many packets the cluster held when the proof began.
    ///   - isDueAgain: requests the next one in the same step.
    public func completeProof(of cluster: Int64, packets: Int, material: String, isDueAgain: Bool) throws {
        let state = isDueAgain ? ProofState.pending : .made
        try db.execute(
            sql: "UPDATE proofs SET state = ?, samples = ?, material = ?, \(Self.weighed) WHERE cluster_id = ?",
            arguments: [state.rawValue, packets, material, cluster])
    }
}
