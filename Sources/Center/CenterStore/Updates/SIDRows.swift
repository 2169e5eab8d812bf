// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Rendering

extension StoreTransaction {
    /// Assigns a signature its rule number (sid) if it has none yet. A number is never given to another signature.
    ///
    /// - Returns: why it can't have one: without a number there is no rule; `nil`: it has one.
    public func assignSID(to signatureID: String) throws -> String? {
        do {
            try allocateSID(for: signatureID)
            return nil
        } catch let error as EpitopeError {
            return error.description
        }
    }

    private func allocateSID(for signatureID: String) throws {
        let isKnown = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM sids WHERE signature_id = ?)", arguments: [signatureID])
        if isKnown == true { return }
        let next = try UInt32.fetchOne(db, sql: "SELECT max(sid) + 1 FROM sids") ?? SIDRange.all.lowerBound
        guard SIDRange.all.contains(next) else {
            throw EpitopeError(
                .sidsExhausted, "all \(SIDRange.all.count) rule numbers of the store are in use",
                remedy: "start a new store for this center, and keep the old one for reading")
        }
        try db.execute(sql: "INSERT INTO sids (signature_id, sid) VALUES (?, ?)", arguments: [signatureID, next])
    }
}
