// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import Signatures

extension CenterStore {
    /// Withdraws a signature's updates on behalf of a person: its rules leave the IDS with the next rule set,
    /// subscribers no longer get it, and no update of it is made or taken until ``reinstate(signatureID:)``. The same holds for
    /// the signatures that took its place, or are to: a withdrawn rule doesn't come back as a revision.
    ///
    /// - Throws: `signature-unknown` when no update of that signature was ever made or received here.
    public func withdraw(signatureID: String, reason: String) async throws(EpitopeError) {
        try await transaction { transaction in
            guard try transaction.isKnown(signatureID) else {
                throw Self.unknown("no update of signature \(signatureID) was made or received here")
            }
            try transaction.withdraw(signatureID, reason: reason, becauseOf: nil)
            for revision in try transaction.revisions(of: signatureID) {
                try transaction.withdrawRevision(revision, of: signatureID)
            }
        }
    }

    /// Undoes a withdrawal, with those of the signature's revisions that came of it: the next report of the attack makes a new
    /// revision.
    ///
    /// - Throws: `signature-unknown` when the signature is not withdrawn.
    public func reinstate(signatureID: String) async throws(EpitopeError) {
        try await transaction { transaction in
            guard try transaction.withdrawalReason(of: signatureID) != nil else {
                throw Self.unknown("signature \(signatureID) is not withdrawn here")
            }
            let reinstated = try String.fetchAll(
                transaction.db, sql: "DELETE FROM withdrawals WHERE signature_id = ? OR because_of = ? RETURNING signature_id",
                arguments: [signatureID, signatureID])
            for signature in reinstated {
                try transaction.db.execute(
                    sql: """
                        UPDATE updates SET state = \(UpdateState.expired.sql)
                        WHERE signature_id = ? AND state = \(UpdateState.withdrawn.sql)
                        """,
                    arguments: [signature])
                try transaction.record(.reinstated, signature, "updates of it are made again")
            }
        }
    }

    private static func unknown(_ problem: String) -> EpitopeError {
        EpitopeError(.signatureUnknown, problem, remedy: "look up the signature's id and state in the center's status")
    }
}

extension StoreTransaction {
    fileprivate func isKnown(_ signatureID: String) throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM updates WHERE signature_id = ?)", arguments: [signatureID]) ?? false
    }

    /// Takes a signature's updates out of force.
    ///
    /// - Parameter cause: the signature that a person withdrew, where this one is a revision of it.
    fileprivate func withdraw(_ signatureID: String, reason: String, becauseOf cause: String?) throws {
        try db.execute(
            sql: """
                INSERT INTO withdrawals (signature_id, reason, time_ms, because_of) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET reason = excluded.reason, because_of = excluded.because_of
                """,
            arguments: [signatureID, reason, nowMilliseconds, cause])
        for update in try Int64.fetchAll(db, sql: "SELECT id FROM updates WHERE signature_id = ?", arguments: [signatureID]) {
            try end(update, as: .withdrawn, reason: reason)
        }
        try record(.withdrawn, signatureID, reason)
    }

    /// The other signatures that took a signature's place, or are to, one after the other.
    fileprivate func revisions(of signatureID: String) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                WITH RECURSIVE later(id) AS (
                  SELECT id FROM updates WHERE signature_id = :id
                  UNION
                  SELECT v.id FROM later JOIN updates u ON u.id = later.id JOIN updates v ON v.rule_id = u.rule_id AND v.id > u.id
                  UNION
                  SELECT u.replaced_by FROM later JOIN updates u ON u.id = later.id WHERE u.replaced_by IS NOT NULL
                )
                SELECT DISTINCT signature_id FROM updates WHERE id IN later AND signature_id <> :id
                """,
            arguments: ["id": signatureID])
    }

    /// Why a person withdrew a signature; `nil`: it is not withdrawn.
    public func withdrawalReason(of signatureID: String) throws -> String? {
        try String.fetchOne(db, sql: "SELECT reason FROM withdrawals WHERE signature_id = ?", arguments: [signatureID])
    }

    /// Withdraws a signature that is to take the place of another one, if a person withdrew that.
    public func withdrawRevision(_ signatureID: String, of older: String) throws {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT coalesce(because_of, signature_id) AS cause, reason FROM withdrawals WHERE signature_id = ?",
                arguments: [older]),
            try withdrawalReason(of: signatureID) == nil
        else { return }
        let (cause, reason): (String, String) = (row["cause"], row["reason"])
        try withdraw(signatureID, reason: cause == older ? Self.revisionReason(of: older, reason) : reason, becauseOf: cause)
    }

    private static func revisionReason(of signatureID: String, _ reason: String) -> String {
        "it is a revision of \(signatureID): \(reason)"
    }

    /// Whether a person withdrew any signature of a cluster: then none is made of it.
    public func isWithdrawn(_ cluster: Cluster) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM withdrawals WHERE signature_id = ?
                  OR signature_id IN (SELECT signature_id FROM updates WHERE cluster_id = ?))
                """,
            arguments: [cluster.signature.id, cluster.id]) ?? false
    }
}
