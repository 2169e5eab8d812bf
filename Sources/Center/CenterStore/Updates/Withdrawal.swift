// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import Signatures

extension CenterStore {
    /// Withdraws a signature's updates on behalf of a person: its rules leave the IDS with the next rule set,
    /// subscribers no longer get it, and no update of it is made or taken until ``reinstate(signatureID:)``.
    ///
    /// - Throws: `signature-unknown` when no update of that signature was ever made or received here.
    public func withdraw(signatureID: String, reason: String) async throws(EpitopeError) {
        try await transaction { transaction in
            let updates = try Int64.fetchAll(
                transaction.db, sql: "SELECT id FROM updates WHERE signature_id = ?", arguments: [signatureID])
            guard !updates.isEmpty else { throw Self.unknown("no update of signature \(signatureID) was made or received here") }
            try transaction.db.execute(
                sql: """
                    INSERT INTO withdrawals (signature_id, reason, time_ms) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET reason = excluded.reason
                    """,
                arguments: [signatureID, reason, transaction.nowMilliseconds])
            for update in updates { try transaction.end(update, as: .withdrawn, reason: reason) }
            try transaction.record(.withdrawn, signatureID, reason)
        }
    }

    /// Undoes a withdrawal: the next report of the attack makes a new revision.
    ///
    /// - Throws: `signature-unknown` when the signature is not withdrawn.
    public func reinstate(signatureID: String) async throws(EpitopeError) {
        try await transaction { transaction in
            try transaction.db.execute(sql: "DELETE FROM withdrawals WHERE signature_id = ?", arguments: [signatureID])
            guard transaction.db.changesCount > 0 else { throw Self.unknown("signature \(signatureID) is not withdrawn here") }
            try transaction.db.execute(
                sql: """
                    UPDATE updates SET state = \(UpdateState.expired.sql)
                    WHERE signature_id = ? AND state = \(UpdateState.withdrawn.sql)
                    """,
                arguments: [signatureID])
            try transaction.record(.reinstated, signatureID, "updates of it are made again")
        }
    }

    private static func unknown(_ problem: String) -> EpitopeError {
        EpitopeError(.signatureUnknown, problem, remedy: "look up the signature's id and state in the center's status")
    }
}

extension StoreTransaction {
    /// Why a person withdrew a signature; `nil`: it is not withdrawn.
    public func withdrawalReason(of signatureID: String) throws -> String? {
        try String.fetchOne(db, sql: "SELECT reason FROM withdrawals WHERE signature_id = ?", arguments: [signatureID])
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
