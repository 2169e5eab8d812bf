// SPDX-License-Identifier: Apache-2.0

import Correlation
import FoundationEssentials
import GRDB
public import Signatures

extension StoreTransaction {
    /// Stores an update.
    ///
    /// - Parameters:
    ///   - cluster: whose packets it was made of; `nil` for an update of the global center.
    ///   - rule: the rule that it is a revision of.
    ///   - reason: why it is in that state, for a person.
    /// - Returns: its number in the store.
    public func add(
        _ update: SignatureUpdate, of cluster: Int64?, rule: Int64, state: UpdateState, reason: String?
    ) throws -> Int64 {
        let (origin, sequence): (String, Int64?) =
            switch update.origin {
            case .site: (UpdateOrigin.site.rawValue, nil)
            case .global(let sequence): (UpdateOrigin.global.rawValue, sequence)
            }
        return try db.insert(
            sql: """
                INSERT INTO updates
                  (signature_id, revision, origin, sequence, cluster_id, rule_id, body, state, reason, created_ms, expires_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                update.signature.id, update.revision, origin, sequence, cluster, rule, try RowCoding.json(update),
                state.rawValue, reason, update.createdMilliseconds,
                try isPinned(update.signature.id) ? Self.never : update.expiresMilliseconds,
            ], returning: "id")
    }

    /// Replaces an unproven update by the outcome of a later attempt.
    public func replace(_ id: Int64, with update: SignatureUpdate, reason: String) throws {
        try db.execute(
            sql: "UPDATE updates SET body = ?, reason = ? WHERE id = ?",
            arguments: [try RowCoding.json(update), reason, id])
    }

    /// Adds to the proof of an update in force what was found out later. The update itself stays as it is.
    public func replaceProof(of id: Int64, with update: SignatureUpdate) throws {
        try db.execute(sql: "UPDATE updates SET body = ? WHERE id = ?", arguments: [try RowCoding.json(update), id])
        try reconsider(id)
    }

    /// Takes an update out of force whose proof failed later than it was made; its rule leaves the IDS with the next rule set.
    public func refute(_ id: Int64, with update: SignatureUpdate, reason: String) throws {
        try replaceProof(of: id, with: update)
        try end(id, as: .unproven, reason: reason)
    }

    /// The clusters whose updates in force have a proof with a check that was not made.
    public func clusters(withUnmade check: Proof.Check.Name) throws -> [Int64] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT cluster_id, body FROM updates WHERE state = \(UpdateState.proven.sql) AND cluster_id IS NOT NULL AND body LIKE ?",
            arguments: ["%\(check.rawValue)%"])
        return try Set(
            rows.filter { try RowCoding.value(SignatureUpdate.self, $0["body"]).proof.check(check)?.outcome == .notChecked }
                .map { $0["cluster_id"] as Int64 }
        ).sorted()
    }

    /// The clusters with updates in force that rest on fewer reporters than have reported the cluster, and not on so many that more
    /// count for nothing.
    public func clustersWithMoreReportersThanKnown() throws -> [Int64] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT u.cluster_id, u.body, s.known_reporters FROM cluster_sums s CROSS JOIN updates u ON u.cluster_id = s.cluster_id
                WHERE s.known_reporters > 1 AND u.state = \(UpdateState.proven.sql)
                """)
        return Set(
            rows.filter { row in
                guard let support = try? RowCoding.value(SignatureUpdate.self, row["body"]).support else { return false }
                return support.grade < .confirmed && support.reporters < row["known_reporters"]
            }.map { $0["cluster_id"] as Int64 }
        ).sorted()
    }

    /// Takes an update out of force, and cancels its deliveries that are under way. A rule that the IDS has is to leave it.
    func end(_ update: Int64, as state: UpdateState, reason: String) throws {
        try cancelDeliveries(of: "SELECT CAST(? AS BIGINT)", arguments: [update], reason: reason)
        try db.execute(
            sql: """
                UPDATE deliveries SET state = \(DeliveryState.leaving.sql), reason = NULL, changed_ms = ?
                WHERE update_id = ? AND target = \(DeliveryTarget.ids.sql) AND state = \(DeliveryState.delivered.sql)
                  AND EXISTS (SELECT 1 FROM updates u WHERE u.id = update_id AND u.state = \(UpdateState.proven.sql))
                """,
            arguments: [nowMilliseconds, update])
        try db.execute(
            sql: """
                UPDATE updates SET withdrawn_from = CASE WHEN ?1 <> \(UpdateState.withdrawn.sql) THEN NULL
                  WHEN state = \(UpdateState.withdrawn.sql) THEN withdrawn_from ELSE state END, state = ?1, reason = ?2 WHERE id = ?3
                """,
            arguments: [state.rawValue, reason, update])
    }
}

/// Who made an update, as the store names it.
enum UpdateOrigin: String, CaseIterable, StoredWord {
    case site
    case global
}
