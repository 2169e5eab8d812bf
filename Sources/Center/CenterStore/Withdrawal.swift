// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB

extension CenterStore {
    /// A person undoes an update: the signature's rules leave the IDS with the next rule set, the subscribers of this
    /// center get it no more, and no update of it is made or taken until ``reinstate(signatureID:)``.
    ///
    /// - Throws: `signature-unknown` when no update of that signature was ever made or received here.
    public func withdraw(signatureID: String, reason: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            let updates = try Int64.fetchAll(
                db, sql: "SELECT id FROM updates WHERE signature_id = ?", arguments: [signatureID])
            guard !updates.isEmpty else { throw Self.unknown(signatureID) }
            try db.execute(
                sql: """
                    INSERT INTO withdrawals (signature_id, reason, time_ms) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET reason = excluded.reason
                    """,
                arguments: [signatureID, reason, clock.nowMilliseconds])
            for update in updates {
                try db.end(update, as: .withdrawn, reason: reason, nowMilliseconds: clock.nowMilliseconds)
            }
            try db.record(.withdrawn, signatureID, reason, at: clock.preciseMilliseconds())
        }
    }

    /// Undoes a withdrawal: the next report of the attack makes a new revision.
    ///
    /// - Throws: `signature-unknown` when the signature is not withdrawn.
    public func reinstate(signatureID: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            try db.execute(sql: "DELETE FROM withdrawals WHERE signature_id = ?", arguments: [signatureID])
            guard db.changesCount > 0 else { throw Self.unknown(signatureID) }
            try db.execute(
                sql: "UPDATE updates SET state = 'expired' WHERE signature_id = ? AND state = 'withdrawn'",
                arguments: [signatureID])
            try db.record(.reinstated, signatureID, "updates of it are made again", at: clock.preciseMilliseconds())
        }
    }

    private static func unknown(_ signatureID: String) -> EpitopeError {
        EpitopeError(
            .signatureUnknown, "no such update is known here: signature \(signatureID)",
            remedy: "look the signature's id up in the center's status")
    }
}
