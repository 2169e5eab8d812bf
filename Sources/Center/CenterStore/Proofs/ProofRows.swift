// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

/// Where the proof of a cluster's signatures stands.
enum ProofState: String, CaseIterable, StoredWord {
    /// Requested: signatures are to be made and proven.
    case pending
    /// Not requested: what it would make may not be published yet.
    case waiting
    /// Done, and its outcome is stored.
    case made
}

extension StoreTransaction {
    /// The proof of a cluster, as far as the decision on the next one needs it.
    public func proofProgress(of cluster: Int64) throws -> ProofDecision.Progress {
        guard let row = try Row.fetchOne(db, sql: "SELECT state, samples FROM proofs WHERE cluster_id = ?", arguments: [cluster])
        else { return .never }
        let (state, packets): (String, Int) = (row["state"], row["samples"])
        return switch ProofState(rawValue: state) {
        case .pending: .pending
        case .waiting: .never
        case .made, nil: .made(packets: packets)
        }
    }

    func isProofPending(of cluster: Int64) throws -> Bool { try proofProgress(of: cluster) == .pending }

    /// Requests a proof of a cluster's signatures. A second request before it is made changes nothing.
    ///
    /// - Parameter soleSource: on whose word alone the first request rests; `nil`: on more.
    public func requestProof(of cluster: Int64, soleSource: ReportSource? = nil) throws {
        let (pending, waiting) = (ProofState.pending.sql, ProofState.waiting.sql)
        try db.execute(
            sql: """
                INSERT INTO proofs (cluster_id, state, sole_reporter, sole_machine) VALUES (?, \(pending), ?, ?)
                ON CONFLICT DO UPDATE SET state = \(pending),
                  sole_reporter = iif(state = \(waiting), excluded.sole_reporter, sole_reporter),
                  sole_machine = iif(state = \(waiting), excluded.sole_machine, sole_machine)
                """,
            arguments: [cluster, soleSource?.reporter, soleSource?.machine])
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
    public func holdProof(of cluster: Int64) throws -> Bool {
        let waiting = ProofState.waiting.sql
        try db.execute(
            sql: """
                INSERT INTO proofs (cluster_id, state) VALUES (?, \(waiting))
                ON CONFLICT DO UPDATE SET state = \(waiting) WHERE state <> \(waiting)
                """,
            arguments: [cluster])
        return db.changesCount > 0
    }

    /// Requests the proofs that wait of what somebody reported.
    func releaseProofs(reportedBy reporter: String) throws -> Int {
        try db.execute(
            sql: """
                UPDATE proofs SET state = \(ProofState.pending.sql), \(Self.weighed), (sole_reporter, sole_machine) = (
                  SELECT iif(known_reporters = 1, first_reporter, NULL), iif(known_reporters = 1, first_machine, NULL)
                  FROM cluster_sums s WHERE s.cluster_id = proofs.cluster_id)
                WHERE state = \(ProofState.waiting.sql)
                  AND EXISTS (SELECT 1 FROM evidence e WHERE e.cluster_id = proofs.cluster_id AND e.reporter = ?)
                """,
            arguments: [reporter])
        return db.changesCount
    }

    /// Says that others reported a cluster, too.
    public func shareProof(of cluster: Int64) throws {
        try db.execute(
            sql: "UPDATE proofs SET sole_reporter = NULL, sole_machine = NULL WHERE cluster_id = ? AND sole_reporter IS NOT NULL",
            arguments: [cluster])
    }

    /// How many clusters have proofs that rest on one reporter's word alone, or on that of one machine, as far as that is less than a
    /// limit.
    public func countProofs(onWordOf source: ReportSource, limit: Int) throws -> Int {
        let select = try db.cachedStatement(
            sql: """
                SELECT count(*) FROM (
                  SELECT cluster_id FROM proofs WHERE sole_reporter = ?1 UNION SELECT cluster_id FROM proofs WHERE sole_machine = ?2
                  LIMIT ?3)
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

    /// The clusters whose proof is requested, what weighs most first: the number of reporters, then points, then age.
    public func pendingProofs(limit: Int) throws -> [Int64] {
        try Int64.fetchAll(
            db,
            sql: """
                SELECT cluster_id FROM proofs WHERE state = \(ProofState.pending.sql)
                ORDER BY reporters DESC, points DESC, cluster_id LIMIT ?
                """,
            arguments: [limit])
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
