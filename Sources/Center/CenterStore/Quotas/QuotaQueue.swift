// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

/// What waits for a use of a quota, by weight: whoever looks for what is next reads that and no more, however much waits.
extension StoreTransaction {
    /// Puts an item in the queue, or changes what it weighs there.
    ///
    /// - Parameter cluster: whose evidence it rests on; `nil`: it has none here.
    func queue(_ item: QuotaItem, for quota: QuotaKind, of cluster: Int64?, as claim: FairQuota.Item) throws {
        try db.execute(
            sql: """
                INSERT INTO quota_queue (item_kind, item, quota, cluster_id, reporters, points, sole_reporter, sole_machine)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (item_kind, item) DO UPDATE SET quota = excluded.quota, cluster_id = excluded.cluster_id, reporters = excluded.reporters,
                  points = excluded.points, sole_reporter = excluded.sole_reporter, sole_machine = excluded.sole_machine
                """,
            arguments: [
                item.kind.rawValue, item.id, quota.rawValue, cluster, claim.reporters, claim.points, claim.soleSource?.reporter,
                claim.soleSource?.machine,
            ])
    }

    /// How much waits for a quota on one reporter's word alone, or on that of one machine, as far as that is less than a limit.
    public func countQueued(for quota: QuotaKind, onWordOf source: ReportSource, limit: Int) throws -> Int {
        let select = try db.cachedStatement(
            sql: """
                SELECT count(*) FROM (
                  SELECT item FROM quota_queue WHERE quota = ?1 AND sole_reporter = ?2
                  UNION SELECT item FROM quota_queue WHERE quota = ?1 AND sole_machine = ?3 LIMIT ?4) AS own
                """)
        return try Int.fetchOne(select, arguments: [quota.rawValue, source.reporter, source.machine, limit]) ?? 0
    }

    /// Says what a cluster weighs now, of which something waits: for a quota, or for its proof.
    public func reweigh(_ cluster: Int64, as weight: ClusterWeight) throws {
        let claims = try db.cachedStatement(
            sql: "UPDATE quota_queue SET reporters = ?, points = ?, sole_reporter = ?, sole_machine = ? WHERE cluster_id = ?")
        try claims.execute(arguments: [
            weight.reporters, weight.sum.points, weight.soleSource?.reporter, weight.soleSource?.machine, cluster,
        ])
        let proof = try db.cachedStatement(
            sql: "UPDATE proofs SET reporters = ?, points = ? WHERE cluster_id = ? AND state = \(ProofState.pending.sql)")
        try proof.execute(arguments: [weight.reporters, weight.sum.points, cluster])
    }

    /// Of what one reporter has waiting whose share is used up: it only says when there is room.
    private static let lookedOfExhausted = 8

    /// The first in the queue for a quota.
    ///
    /// - Parameters:
    ///   - quota: with its limit.
    ///   - condition: SQL, with its arguments: which of the items `q.item` may go now. The others wait for something that is about to be
    ///     done; only so many are looked at.
    /// - Returns: of what may take a place now as many as there are places, in so far as one reporter's share lets them; and at least one
    ///   of each kind that waits for another time: of what more than one supports, of what one does, and of each whose share is used up.
    func firstQueued(
        for kind: QuotaKind, _ quota: FairQuota, uses: [FairQuota.Use], where condition: String, arguments: StoreArguments
    ) throws -> [FairQuota.Item] {
        let limit = max(1, quota.limit - uses.count)
        let exhausted = quota.exhausted(by: uses)
        func fetch(_ more: String, _ added: StoreArguments, limit: Int, among looked: Int) throws -> [FairQuota.Item] {
            try Row.fetchAll(
                db,
                sql: """
                    SELECT q.item, q.reporters, q.points, q.sole_reporter, q.sole_machine FROM (
                      SELECT * FROM quota_queue q WHERE q.quota = ? AND \(more)
                      ORDER BY q.reporters DESC, q.points DESC, q.item LIMIT ?) q
                    WHERE \(condition) ORDER BY q.reporters DESC, q.points DESC, q.item LIMIT ?
                    """,
                arguments: [kind.rawValue] + added + [looked] + arguments + [limit], isKept: false
            ).map { row in
                FairQuota.Item(
                    number: row["item"], reporters: row["reporters"], points: row["points"],
                    soleSource: .known(row["sole_reporter"], at: row["sole_machine"]))
            }
        }
        func list(_ values: some Collection) -> String { "(" + Array(repeating: "?", count: values.count).joined(separator: ", ") + ")" }
        let (reporters, machines) = (exhausted.map(\.reporter).sorted(), exhausted.compactMap(\.machine).sorted())
        let others =
            (reporters.isEmpty ? "" : " AND q.sole_reporter NOT IN \(list(reporters))")
            + (machines.isEmpty ? "" : " AND coalesce(q.sole_machine, '') NOT IN \(list(machines))")
        let looked = max(limit, CenterStore.maxRequests)
        let isShared = "q.sole_reporter IS NULL"
        return try fetch(db.condition(isShared, is: true), [], limit: limit, among: looked)
            + fetch(
                db.condition(isShared, is: false) + others, StoreArguments(reporters + machines), limit: limit, among: looked)
            + reporters.flatMap { try fetch("q.sole_reporter = ?", [$0], limit: 1, among: Self.lookedOfExhausted) }
    }
}
