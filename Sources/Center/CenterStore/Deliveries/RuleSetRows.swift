// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Rendering
import Signatures

extension CenterStore {
    /// The rule set for the IDS; new rules are in it as far as they have their quota.
    ///
    /// - Parameter isDropping: whether rules drop that may.
    public func ruleSet(isDropping: Bool = false) async throws(EpitopeError) -> RuleSet {
        let cache = ruleCache
        return try await snapshot { transaction in
            var reading = RuleReading(cache: cache)
            let inForce = try transaction.rules("d.state = \(DeliveryState.delivered.sql)", &reading).map(\.rule)
            var pending = try transaction.rules(
                "d.state = \(DeliveryState.pending.sql) AND \(QuotaItem.hasQuota(.delivery, id: "d.id"))", &reading)
            cache.keep(reading.read)
            for index in pending.indices { pending[index].replaced = try transaction.numbersReplaced(by: pending[index].delivery) }
            let confirmed = try transaction.mark(.confirmedRules) ?? RuleSet.digest([], isDropping: isDropping)
            let ordered = inForce.sorted { $0.sid < $1.sid }
            return RuleSet(
                inForce: ordered, pending: pending.sorted { $0.delivery < $1.delivery }, damaged: reading.damaged,
                isConfirmed: confirmed == RuleSet.digest(ordered, isDropping: isDropping))
        }
    }

    /// Records that the IDS confirmed the rule set with these pending rules in it: each is delivered, and takes the place of
    /// those that it replaces. One that ended meanwhile leaves with the next rule set. Rules that were in the set before, and drop or
    /// apply otherwise now, are events, too.
    ///
    /// - Parameter isDropping: whether rules drop that may.
    public func confirm(
        _ rules: [RuleAssignment], added: [RuleSet.Pending], isDropping: Bool = false, detail: String
    ) async throws(EpitopeError) {
        try await transaction { transaction in
            let before = try transaction.mark(.confirmedRules) ?? ""
            try transaction.setMark(.confirmedRules, RuleSet.digest(rules, isDropping: isDropping))
            for rule in RuleSet.reinstalled(rules, since: before, isDropping: isDropping) {
                try transaction.recordDelivery(of: rule, "now " + RuleSet.form(of: rule, isDropping: isDropping), detail)
            }
            for item in added {
                guard let id = try transaction.confirmDelivery(item.delivery) else { continue }
                try transaction.recordDelivery(of: item.rule, RuleSet.form(of: item.rule, isDropping: isDropping), detail)
                try transaction.supersede(by: id)
            }
            try transaction.confirmRemovals(from: rules, detail: detail)
        }
    }

    /// The rules of a signature that are to leave the IDS and are in it still: for each, why the last attempt failed; `nil`: there was
    /// none yet.
    public func leavingRules(of signatureID: String) async throws(EpitopeError) -> [String?] {
        try await snapshot { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT d.reason FROM deliveries d JOIN updates u ON u.id = d.update_id
                    WHERE u.signature_id = ? AND d.target = \(DeliveryTarget.ids.sql) AND d.state = \(DeliveryState.leaving.sql)
                    """,
                arguments: [signatureID]
            ).map { $0["reason"] }
        }
    }

    /// The rules of a signature that are on their way to the IDS: for each, why the last attempt failed; `nil`: there was none yet. And
    /// whether one is in it.
    public func comingRules(of signatureID: String) async throws(EpitopeError) -> (waiting: [String?], isInForce: Bool) {
        try await snapshot { transaction in
            let rows = try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT d.state, d.reason FROM deliveries d JOIN updates u ON u.id = d.update_id
                    WHERE u.signature_id = ? AND u.state = \(UpdateState.proven.sql) AND d.target = \(DeliveryTarget.ids.sql)
                    """,
                arguments: [signatureID])
            let states = rows.map { (DeliveryState(rawValue: $0["state"]), $0["reason"] as String?) }
            return (states.filter { $0.0.map(DeliveryState.underWay.contains) == true }.map(\.1), states.contains { $0.0 == .delivered })
        }
    }

    /// Records that the rules in the IDS are no longer those that it confirmed, and are put back.
    public func recordDifference(_ difference: String) async throws(EpitopeError) {
        try await transaction { try $0.record(.restored, "rules", "\(difference): they are put back") }
    }

    /// The signatures of which this store has no update.
    public func unknownSignatures(among ids: [String]) async throws(EpitopeError) -> Set<String> {
        try await snapshot { transaction in
            try Set(ids).filter { id in
                try Bool.fetchOne(
                    transaction.db, sql: "SELECT EXISTS (SELECT 1 FROM updates WHERE signature_id = ?)", arguments: [id]) != true
            }
        }
    }

    /// Records that a rule of this center has left the IDS which this store knows nothing of.
    public func recordStranger(_ signatureID: String, sid: UInt32, text: String) async throws(EpitopeError) {
        try await transaction {
            try $0.record(
                .removed, signatureID,
                "sid \(sid): the IDS had it, and this store, which may be restored from a backup, knows nothing of it: \(text.prefix(2000))"
            )
        }
    }

    /// Records that the IDS refused a rule permanently, and releases its quota.
    public func refuse(_ item: RuleSet.Pending, reason: String) async throws(EpitopeError) {
        try await transaction { transaction in
            try transaction.release(.delivery(item.delivery))
            try transaction.setDelivery(item.delivery, to: .refused, reason: reason)
            transaction.tally.count(.ids, .refused)
            try transaction.record(.refused, item.rule.update.signature.id, reason)
        }
    }

    /// Records that the IDS could not be reached; the deliveries stay pending.
    public func recordAttempt(_ items: [RuleSet.Pending], reason: String) async throws(EpitopeError) {
        try await transaction { transaction in
            for item in items {
                try transaction.db.execute(
                    sql: "UPDATE deliveries SET attempts = attempts + 1, reason = ? WHERE id = ?",
                    arguments: [reason, item.delivery])
            }
            try transaction.db.execute(
                sql: "UPDATE deliveries SET attempts = attempts + 1, reason = ? WHERE state = \(DeliveryState.leaving.sql)",
                arguments: [reason])
            transaction.tally.count(.ids, .retried)
            try transaction.record(.retried, items.first?.rule.update.signature.id ?? "rules", reason)
        }
    }
}

/// What was read for a rule set.
private struct RuleReading {
    let cache: UpdateCache
    /// The numbers of updates.
    var read: Set<Int64> = []
    /// Of updates that can't be read.
    var damaged: [Int64] = []
}

extension StoreTransaction {
    /// Marks a delivery that the IDS confirmed.
    ///
    /// An update whose place a later one took while the IDS was reading it is in force all the same, until the IDS has the
    /// later one: it gets back its state, and the quota that it used.
    ///
    /// - Returns: the update's number; `nil` when it was withdrawn or expired meanwhile.
    fileprivate func confirmDelivery(_ delivery: Int64) throws -> Int64? {
        let select = "SELECT u.id, u.state, u.origin FROM deliveries d JOIN updates u ON u.id = d.update_id WHERE d.id = ?"
        guard let row = try Row.fetchOne(db, sql: select, arguments: [delivery]), let state = UpdateState(rawValue: row["state"]) else {
            return nil
        }
        guard state == .proven || state == .superseded else {
            try setDelivery(delivery, to: .leaving, reason: nil)
            return nil
        }
        let id: Int64 = row["id"]
        if state == .superseded {
            let quota = QuotaKind(target: .ids, isGlobalUpdate: (row["origin"] as String) == UpdateOrigin.global.rawValue)
            try db.execute(sql: "UPDATE updates SET state = \(UpdateState.proven.sql) WHERE id = ?", arguments: [id])
            try use(quota, for: .delivery(delivery))
        }
        try setDelivery(delivery, to: .delivered, reason: nil)
        tally.count(.ids, .delivered)
        return id
    }

    /// Records that the IDS has a rule.
    ///
    /// - Parameter form: whether it drops, and where.
    fileprivate func recordDelivery(of rule: RuleAssignment, _ form: String, _ detail: String) throws {
        try record(.delivered, rule.update.signature.id, "sid \(rule.sid), revision \(rule.update.revision) \(form): \(detail)")
    }

    /// Marks the deliveries whose rules have left the IDS.
    ///
    /// - Parameter rules: those that the IDS confirmed.
    fileprivate func confirmRemovals(from rules: [RuleAssignment], detail: String) throws {
        let leaving = try Row.fetchAll(
            db,
            sql: """
                SELECT d.id, u.signature_id, u.revision, r.sid FROM deliveries d
                JOIN updates u ON u.id = d.update_id LEFT JOIN rules r ON r.id = u.rule_id
                WHERE d.target = \(DeliveryTarget.ids.sql) AND d.state = \(DeliveryState.leaving.sql)
                """)
        for row in leaving {
            let (id, signature, revision, sid): (Int64, String, Int, UInt32?) = (
                row["id"], row["signature_id"], row["revision"], row.sid
            )
            // A rule set that was made before the update ended may have it still.
            guard !rules.contains(where: { $0.update.signature.id == signature && $0.update.revision == revision }) else { continue }
            try setDelivery(id, to: .removed, reason: nil)
            tally.count(.ids, .removed)
            try record(.removed, signature, "sid \(sid.map(String.init) ?? "-"), revision \(revision): \(detail)")
        }
    }

    /// The numbers of the rules in force that leave when a pending delivery goes live, its own number aside.
    fileprivate func numbersReplaced(by delivery: Int64) throws -> Set<UInt32> {
        Set(
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT r.sid FROM deliveries d JOIN updates n ON n.id = d.update_id
                    CROSS JOIN updates v ON v.rule_id = n.rule_id AND v.id <= n.id
                    CROSS JOIN updates o ON o.replaced_by = v.id AND o.state = \(UpdateState.proven.sql)
                    JOIN rules r ON r.id = o.rule_id AND r.id <> n.rule_id
                    WHERE d.id = ? AND r.sid IS NOT NULL
                    """,
                arguments: [delivery]
            ).compactMap { UInt32(exactly: $0) })
    }

    /// The rules for the IDS whose delivery meets a condition.
    ///
    /// - Parameter reading: gets the updates that can't be read: they must not keep the rules of all others from the IDS.
    fileprivate func rules(_ condition: String, _ reading: inout RuleReading) throws -> [RuleSet.Pending] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT d.id AS delivery, r.sid, u.id, u.body FROM deliveries d
                JOIN updates u ON u.id = d.update_id JOIN rules r ON r.id = u.rule_id
                WHERE r.sid IS NOT NULL AND d.target = \(DeliveryTarget.ids.sql) AND u.state = \(UpdateState.proven.sql)
                  AND u.expires_ms > ? AND \(condition)
                """,
            arguments: [nowMilliseconds]
        ).compactMap { row -> RuleSet.Pending? in
            let id: Int64 = row["id"]
            guard let update = reading.cache.update(id, body: row["body"]), let sid = row.sid else {
                reading.damaged.append(id)
                return nil
            }
            reading.read.insert(id)
            return RuleSet.Pending(delivery: row["delivery"], rule: RuleAssignment(sid: sid, update: update))
        }
    }
}
