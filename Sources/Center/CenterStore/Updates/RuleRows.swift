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
        return try db.insert(sql: "INSERT INTO rules (sid) VALUES (NULL)", arguments: [], returning: "id")
    }

    /// The least revision of a signature's next update in a rule: above every other of the rule, and of the signature.
    public func nextRevision(of signatureID: String, in rule: Int64) throws -> Int {
        let latest = try Int.fetchOne(
            db,
            sql: """
                SELECT max(revision) FROM (SELECT revision FROM updates WHERE rule_id = ?
                  UNION ALL SELECT revision FROM updates WHERE signature_id = ?) AS earlier
                """,
            arguments: [rule, signatureID])
        // A damaged record may have any.
        return min(max(latest ?? 0, 0), Int(Int32.max) - 1) + 1
    }

    /// Assigns a rule its number (sid) if it has none yet: that of its first signature in the range, or the next one that is free.
    ///
    /// - Parameter isPublished: whether the rule is one of this global center, for its subscribers.
    /// - Returns: why it can't have one: without a number there is no rule; `nil`: it has one.
    public func assignSID(toRule rule: Int64, of signatureID: String, isPublished: Bool = false) throws -> String? {
        let range = isPublished ? SIDRange.ofGlobalCenter : SIDRange.ofSite
        let isNumbered = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM rules WHERE id = ? AND sid BETWEEN ? AND ?)",
            arguments: [rule, SIDRange.all.lowerBound, SIDRange.all.upperBound])
        if isNumbered == true { return nil }
        guard let free = try freeNumber(from: SIDRange.number(ofSignature: signatureID, in: range), in: range) else {
            return EpitopeError(
                .sidsExhausted, "all \(range.count) rule numbers are in use by rules in force",
                remedy: "withdraw rules that are not needed, or shorten the lifetime of updates"
            ).description
        }
        try db.execute(sql: "UPDATE rules SET sid = NULL WHERE sid = ?", arguments: [free])
        try db.execute(sql: "UPDATE rules SET sid = ? WHERE id = ?", arguments: [free, rule])
        return nil
    }

    /// Gives a rule the number that the global center has for it, so that it is the same at every site. A rule of this site that has
    /// that number gets another one.
    ///
    /// - Returns: why it can't have one.
    public func assignSID(_ number: UInt32?, ofGlobalCenter signatureID: String, toRule rule: Int64) throws -> String? {
        guard let number, SIDRange.ofGlobalCenter.contains(number) else {
            return try assignSID(toRule: rule, of: signatureID, isPublished: true)
        }
        let holder = try Int64.fetchOne(db, sql: "SELECT id FROM rules WHERE sid = ?", arguments: [number])
        guard holder != rule else { return nil }
        if let holder { try db.execute(sql: "UPDATE rules SET sid = NULL WHERE id = ?", arguments: [holder]) }
        let before = try self.number(ofRule: rule)
        try db.execute(sql: "UPDATE rules SET sid = ? WHERE id = ?", arguments: [number, rule])
        if let before { try record(.renumbered, signatureID, "sid \(number) in place of \(before): the global center's number") }
        guard let holder, let other = try firstSignature(ofRule: holder) else { return nil }
        let refusal = try assignSID(toRule: holder, of: other)
        if let next = try self.number(ofRule: holder) {
            try record(.renumbered, other, "sid \(next) in place of \(number), which the global center has for another rule")
        }
        return refusal
    }

    private func number(ofRule rule: Int64) throws -> UInt32? {
        try UInt32.fetchOne(db, sql: "SELECT sid FROM rules WHERE id = ? AND sid IS NOT NULL", arguments: [rule])
    }

    private func firstSignature(ofRule rule: Int64) throws -> String? {
        try String.fetchOne(db, sql: "SELECT signature_id FROM updates WHERE rule_id = ? ORDER BY id LIMIT 1", arguments: [rule])
    }

    /// The first number from a place in a range on that no rule has; where every number was given once, one whose rule is no longer in
    /// force: nothing that a host sends uses them up for good.
    private func freeNumber(from start: UInt32, in range: ClosedRange<UInt32>) throws -> UInt32? {
        for part in [start...range.upperBound, range.lowerBound...start] {
            // The first number whose successor is free, or the part's own beginning.
            let isTaken = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM rules WHERE sid = ?)", arguments: [part.lowerBound])
            if isTaken != true { return part.lowerBound }
            let next = try UInt32.fetchOne(
                db,
                sql: """
                    SELECT sid + 1 FROM rules r WHERE sid >= ?1 AND sid < ?2 AND NOT EXISTS (SELECT 1 FROM rules n WHERE n.sid = r.sid + 1)
                    ORDER BY sid LIMIT 1
                    """,
                arguments: [part.lowerBound, part.upperBound])
            if let next { return next }
        }
        // A sum of the rule's own updates, which no database turns into a join: PostgreSQL, as long as it has no statistics, would go through
        // all updates for each rule.
        return try UInt32.fetchOne(
            db,
            sql: """
                SELECT sid FROM rules r WHERE sid BETWEEN ? AND ? AND coalesce((
                  SELECT max(CASE WHEN u.state = \(UpdateState.proven.sql) THEN 1 ELSE 0 END) FROM updates u WHERE u.rule_id = r.id), 0) = 0
                ORDER BY id LIMIT 1
                """,
            arguments: [range.lowerBound, range.upperBound])
    }
}
