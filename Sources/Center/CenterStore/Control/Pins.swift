// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import GRDB
import SecureChannel
import Signatures

/// Updates whose end a person decided on.
extension StoreTransaction {
    /// When a pinned update ends: 9999-12-31T23:59:59Z, in milliseconds since 1970.
    static let never: Int64 = 253_402_300_799_000

    /// Whether a person pinned the signature: its update is not to be demoted.
    public func isPinned(_ signatureID: String) throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM pins WHERE signature_id = ?)", arguments: [signatureID]) ?? false
    }

    /// The updates of a signature that are in force, or on their way.
    ///
    /// - Throws: `update-not-in-force`.
    private func standing(_ signatureID: String) throws -> [(id: Int64, expires: Int64)] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT id, expires_ms FROM updates WHERE signature_id = ? AND state = \(UpdateState.proven.sql) ORDER BY id",
            arguments: [signatureID])
        guard !rows.isEmpty else {
            throw EpitopeError(
                .updateNotInForce, "no update of signature \(signatureID) is in force or on its way",
                remedy: "look up its state in `status`; `reinstate` lifts a withdrawal")
        }
        return rows.map { ($0["id"], $0["expires_ms"]) }
    }

    func pin(_ signatureID: String, reason: String) throws -> ActionOutcome {
        let updates = try standing(signatureID)
        try db.execute(
            sql: """
                INSERT INTO pins (signature_id, reason, time_ms, expires_ms) VALUES (?, ?, ?, ?)
                ON CONFLICT (signature_id) DO UPDATE SET reason = excluded.reason, time_ms = excluded.time_ms
                """,
            arguments: [signatureID, reason, nowMilliseconds, updates.map(\.expires).max() ?? Self.never])
        // It was to give its place to another one.
        try db.execute(
            sql: """
                UPDATE updates SET expires_ms = ?, replaced_by = NULL WHERE signature_id = ? AND state = \(UpdateState.proven.sql)
                """, arguments: [Self.never, signatureID])
        try record(.pinned, signatureID, reason)
        return ActionOutcome()
    }

    func unpin(_ signatureID: String) throws -> ActionOutcome {
        guard let expires = try Int64.fetchOne(db, sql: "SELECT expires_ms FROM pins WHERE signature_id = ?", arguments: [signatureID])
        else {
            throw EpitopeError(.notPinned, "signature \(signatureID) is not pinned", remedy: "look up its state in `status`")
        }
        try db.execute(sql: "DELETE FROM pins WHERE signature_id = ?", arguments: [signatureID])
        let rows = try Row.fetchAll(
            db, sql: "SELECT id, body FROM updates WHERE signature_id = ? AND expires_ms = ?", arguments: [signatureID, Self.never])
        for row in rows {
            // One that was made meanwhile has the lifetime that is in it.
            let own = (try? RowCoding.value(SignatureUpdate.self, row["body"]))?.expiresMilliseconds ?? expires
            try db.execute(sql: "UPDATE updates SET expires_ms = ? WHERE id = ?", arguments: [max(own, expires), row["id"] as Int64])
        }
        try record(.unpinned, signatureID, "it was to end at \(ChannelClock.text(expires))")
        return ActionOutcome()
    }

    func setLifetime(of signatureID: String, days: Int) throws -> ActionOutcome {
        let updates = try standing(signatureID)
        guard try !isPinned(signatureID) else {
            throw EpitopeError(
                .updatePinned, "signature \(signatureID) is pinned: it doesn't expire", remedy: "unpin it first, then change its lifetime")
        }
        let days = max(1, min(days, SignatureUpdate.maxLifetimeDays))
        let expires = nowMilliseconds + Duration.days(days).inMilliseconds
        for update in updates {
            guard let json = try String.fetchOne(db, sql: "SELECT body FROM updates WHERE id = ?", arguments: [update.id]) else { continue }
            var body = try RowCoding.value(SignatureUpdate.self, json)
            // In whole days from when it was made, as whoever else has it counts.
            let day = Duration.days(1).inMilliseconds
            body.lifetimeDays = max(1, min(Int((expires - body.createdMilliseconds + day - 1) / day), SignatureUpdate.maxLifetimeDays))
            try db.execute(
                sql: "UPDATE updates SET body = ?, expires_ms = ? WHERE id = ?", arguments: [try RowCoding.json(body), expires, update.id])
        }
        let before = updates.map(\.expires).max().map(ChannelClock.text) ?? "-"
        try record(.lifetimeChanged, signatureID, "it ends at \(ChannelClock.text(expires)), in \(days) days; before: \(before)")
        return ActionOutcome()
    }
}
