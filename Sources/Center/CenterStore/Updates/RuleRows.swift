// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Rendering

/// Rules: a number (sid), and the updates that are its revisions, of one signature or of several that replaced one another.
extension StoreTransaction {
    /// The rule of a signature's next update, where it revises no other signature's: that of the latest one, unless another
    /// signature has taken that over; else a new one.
    public func rule(for signatureID: String) throws -> Int64 {
        let own = try Int64.fetchOne(
            db,
            sql: """
                SELECT u.rule_id FROM updates u WHERE u.signature_id = ? AND NOT EXISTS (
                  SELECT 1 FROM updates v WHERE v.rule_id = u.rule_id AND v.signature_id <> u.signature_id AND v.id > u.id)
                ORDER BY u.id DESC LIMIT 1
                """,
            arguments: [signatureID])
        if let own { return own }
        try db.execute(sql: "INSERT INTO rules (sid) VALUES (NULL)")
        return db.lastInsertedRowID
    }

    /// The least revision of a signature's next update in a rule: above every other of the rule, and of the signature.
    public func nextRevision(of signatureID: String, in rule: Int64) throws -> Int {
        let latest = try Int.fetchOne(
            db,
            sql: """
                SELECT max(revision) FROM (SELECT revision FROM updates WHERE rule_id = ?
                  UNION ALL SELECT revision FROM updates WHERE signature_id = ?)
                """,
            arguments: [rule, signatureID])
        return (latest ?? 0) + 1
    }

    /// Assigns a rule its number (sid) if it has none yet. A number is never given to another rule.
    ///
    /// - Returns: why it can't have one: without a number there is no rule; `nil`: it has one.
    public func assignSID(toRule rule: Int64) throws -> String? {
        do {
            try allocateSID(for: rule)
            return nil
        } catch let error as EpitopeError {
            return error.description
        }
    }

    private func allocateSID(for rule: Int64) throws {
        let isNumbered = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM rules WHERE id = ? AND sid IS NOT NULL)", arguments: [rule])
        if isNumbered == true { return }
        let next = try UInt32.fetchOne(db, sql: "SELECT max(sid) + 1 FROM rules") ?? SIDRange.all.lowerBound
        guard SIDRange.all.contains(next) else {
            throw EpitopeError(
                .sidsExhausted, "all \(SIDRange.all.count) rule numbers of the store are in use",
                remedy: "start a new store for this center, and keep the old one for reading")
        }
        try db.execute(sql: "UPDATE rules SET sid = ? WHERE id = ?", arguments: [next, rule])
    }
}
