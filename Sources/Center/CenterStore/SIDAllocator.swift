// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
internal import GRDB
internal import Rendering

/// The sids that the store has given out, each to one signature for ever.
enum SIDAllocator {
    /// The sid of a signature: the one that it has, else the next that was never given out.
    static func sid(of signatureID: String, db: Database) throws -> UInt32 {
        if let known = try UInt32.fetchOne(db, sql: "SELECT sid FROM sids WHERE signature_id = ?", arguments: [signatureID]) {
            return known
        }
        let next = try UInt32.fetchOne(db, sql: "SELECT max(sid) + 1 FROM sids") ?? SIDRange.all.lowerBound
        guard SIDRange.all.contains(next) else {
            throw EpitopeError(
                .sidsExhausted, "all \(SIDRange.all.count) rule numbers of the store are given out",
                remedy: "start a new store for this center, and keep the old one for reading")
        }
        try db.execute(sql: "INSERT INTO sids (signature_id, sid) VALUES (?, ?)", arguments: [signatureID, next])
        return next
    }

    /// Gives the signature its sid, or says why it can't have one: without a number there is no rule, and the steps
    /// behind it must go on.
    static func refusal(of signatureID: String, db: Database) throws -> String? {
        do {
            _ = try sid(of: signatureID, db: db)
            return nil
        } catch let error as EpitopeError {
            return error.description
        }
    }
}
