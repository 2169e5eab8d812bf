// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Rendering
import Signatures

extension CenterStore {
    /// The rule set for the IDS; new rules are in it as far as they have their quota.
    public func ruleSet() async throws(EpitopeError) -> RuleSet {
        try await snapshot { transaction in
            let inForce = try transaction.rules("d.state = \(DeliveryState.delivered.sql)").map(\.rule)
            let pending = try transaction.rules(
                "d.state = \(DeliveryState.pending.sql) AND \(QuotaItem.hasQuota(.delivery, id: "d.id"))")
            let confirmed = try transaction.mark(.confirmedRules) ?? RuleSet.digest([])
            let ordered = inForce.sorted { $0.sid < $1.sid }
            return RuleSet(
                inForce: ordered, pending: pending.sorted { $0.delivery < $1.delivery },
                isConfirmed: confirmed == RuleSet.digest(ordered))
        }
    }

    /// Records that the IDS confirmed the rule set with these pending rules in it: each is delivered, and replaces
    /// its earlier revisions.
    public func confirm(_ rules: [RuleAssignment], added: [RuleSet.Pending], detail: String) async throws(EpitopeError) {
        try await transaction { transaction in
            try transaction.setMark(.confirmedRules, RuleSet.digest(rules))
            for item in added {
                let update = item.rule.update
                try transaction.setDelivery(item.delivery, to: .delivered, reason: nil)
                try transaction.db.execute(
                    sql: """
                        UPDATE updates SET state = \(UpdateState.superseded.sql)
                        WHERE state = \(UpdateState.proven.sql) AND signature_id = ?
                          AND id < (SELECT update_id FROM deliveries WHERE id = ?)
                        """,
                    arguments: [update.signature.id, item.delivery])
                try transaction.record(
                    .delivered, update.signature.id, "sid \(item.rule.sid), revision \(update.revision): \(detail)")
            }
        }
    }

    /// Records that the IDS refused a rule permanently, and releases its quota.
    public func refuse(_ item: RuleSet.Pending, reason: String) async throws(EpitopeError) {
        try await transaction { transaction in
            try transaction.release(.delivery(item.delivery))
            try transaction.setDelivery(item.delivery, to: .refused, reason: reason)
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
            try transaction.record(.retried, items.first?.rule.update.signature.id ?? "rules", reason)
        }
    }
}

extension StoreTransaction {
    /// The rules for the IDS whose delivery meets a condition.
    fileprivate func rules(_ condition: String) throws -> [RuleSet.Pending] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT d.id AS delivery, s.sid, u.body FROM deliveries d
                JOIN updates u ON u.id = d.update_id JOIN sids s ON s.signature_id = u.signature_id
                WHERE d.target = \(DeliveryTarget.ids.sql) AND u.state = \(UpdateState.proven.sql)
                  AND u.expires_ms > ? AND \(condition)
                """,
            arguments: [nowMilliseconds]
        ).map { row in
            RuleSet.Pending(
                delivery: row["delivery"],
                rule: RuleAssignment(sid: row["sid"], update: try RowCoding.value(SignatureUpdate.self, row["body"])))
        }
    }
}
