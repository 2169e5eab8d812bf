// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB
public import Rendering
internal import Signatures

/// The rules that an IDS should have now.
public struct RuleSet: Hashable, Sendable {
    /// A rule that the IDS doesn't have yet.
    public struct New: Hashable, Sendable {
        public var delivery: Int64
        public var active: RuleAssignment
    }

    /// What the IDS has confirmed, less what expired or was withdrawn since; sorted by sid.
    public var inForce: [RuleAssignment]
    /// What has its quota and is to go live now, oldest first.
    public var new: [New]
    /// Whether the IDS has confirmed exactly ``inForce``.
    public var isConfirmed: Bool

    /// The rules with some of the new ones in the place of what they replace, sorted by sid.
    public func rules(adding added: [New]) -> [RuleAssignment] {
        let replaced = Set(added.map(\.active.sid))
        return (inForce.filter { !replaced.contains($0.sid) } + added.map(\.active)).sorted { $0.sid < $1.sid }
    }
}

extension CenterStore {
    /// Marks what is beyond its life time as expired.
    ///
    /// - Returns: how many updates.
    @discardableResult
    public func expireUpdates() async throws(EpitopeError) -> Int {
        let clock = clock
        return try await write { db in
            let expired = try Row.fetchAll(
                db, sql: "SELECT id, signature_id FROM updates WHERE state = 'proven' AND expires_ms <= ?",
                arguments: [clock.nowMilliseconds])
            for row in expired {
                let (id, signatureID): (Int64, String) = (row["id"], row["signature_id"])
                try db.end(id, as: .expired, reason: "its life time is over", nowMilliseconds: clock.nowMilliseconds)
                try db.record(.expired, signatureID, "its life time is over", at: clock.preciseMilliseconds())
            }
            return expired.count
        }
    }

    /// The rule set for the IDS, as far as the quota lets new rules in.
    public func ruleSet() async throws(EpitopeError) -> RuleSet {
        let clock = clock
        return try await read { db in
            let now = clock.nowMilliseconds
            let inForce = try Self.rows(db, "d.state = 'delivered'", now).map(\.active)
            let new = try Self.rows(
                db, "d.state = 'pending' AND EXISTS (SELECT 1 FROM quota_uses WHERE subject = 'delivery ' || d.id)", now)
            let confirmed = try db.mark("rule-set") ?? RuleSet.digest([])
            let ordered = inForce.sorted { $0.sid < $1.sid }
            return RuleSet(
                inForce: ordered, new: new.sorted { $0.delivery < $1.delivery },
                isConfirmed: confirmed == RuleSet.digest(ordered))
        }
    }

    private static func rows(_ db: Database, _ condition: String, _ now: Int64) throws -> [RuleSet.New] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT d.id AS delivery, s.sid, u.body FROM deliveries d
                JOIN updates u ON u.id = d.update_id JOIN sids s ON s.signature_id = u.signature_id
                WHERE d.target = 'ids' AND u.state = 'proven' AND u.expires_ms > ? AND \(condition)
                """,
            arguments: [now]
        ).map { row in
            RuleSet.New(
                delivery: row["delivery"],
                active: RuleAssignment(sid: row["sid"], update: try RowCoding.value(SignatureUpdate.self, row["body"])))
        }
    }

    /// Records that the IDS confirmed the rule set with these new rules in it.
    public func confirm(_ rules: [RuleAssignment], added: [RuleSet.New], detail: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            try db.setMark("rule-set", RuleSet.digest(rules))
            for new in added {
                let id = new.active.update.signature.id
                try db.setDelivery(new.delivery, .delivered, reason: nil, nowMilliseconds: clock.nowMilliseconds)
                try db.execute(
                    sql: """
                        UPDATE updates SET state = 'superseded' WHERE state = 'proven' AND signature_id = ?
                          AND id < (SELECT update_id FROM deliveries WHERE id = ?)
                        """,
                    arguments: [id, new.delivery])
                try db.record(
                    .delivered, id,
                    "sid \(new.active.sid), revision \(new.active.update.revision): \(detail)", at: clock.preciseMilliseconds())
            }
        }
    }

    /// Records that a target refused an update for good, and gives its quota back.
    public func refuse(_ delivery: Int64, signatureID: String, quota: QuotaKind, reason: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            let book = QuotaUsage(db: db, limits: QuotaLimits(), nowMilliseconds: clock.nowMilliseconds)
            try book.giveBack(quota, for: "delivery \(delivery)")
            try db.setDelivery(delivery, .refused, reason: reason, nowMilliseconds: clock.nowMilliseconds)
            try db.record(.refused, signatureID, reason, at: clock.preciseMilliseconds())
        }
    }

    /// Records that a target could not be reached; the deliveries stay as they are.
    public func noteAttempt(_ deliveries: [Int64], subject: String, reason: String) async throws(EpitopeError) {
        let clock = clock
        try await write { db in
            for delivery in deliveries {
                try db.execute(
                    sql: "UPDATE deliveries SET attempts = attempts + 1, reason = ? WHERE id = ?",
                    arguments: [reason, delivery])
            }
            try db.record(.retried, subject, reason, at: clock.preciseMilliseconds())
        }
    }
}

extension RuleSet {
    /// Names a rule set: equal digests, equal rules.
    static func digest(_ rules: [RuleAssignment]) -> String {
        rules.map { "\($0.sid):\($0.update.signature.id):\($0.update.revision):\($0.update.createdMilliseconds)" }
            .joined(separator: " ")
    }
}

extension Database {
    func setDelivery(_ id: Int64, _ state: DeliveryState, reason: String?, nowMilliseconds: Int64) throws {
        try execute(
            sql: "UPDATE deliveries SET state = ?, reason = ?, changed_ms = ?, attempts = attempts + 1 WHERE id = ?",
            arguments: [state.rawValue, reason, nowMilliseconds, id])
    }

    /// Takes an update out of force, with what is still on its way of it.
    func end(_ update: Int64, as state: UpdateState, reason: String, nowMilliseconds: Int64) throws {
        try execute(
            sql: """
                DELETE FROM quota_uses WHERE subject IN (
                  SELECT 'delivery ' || id FROM deliveries WHERE update_id = ? AND state IN ('pending', 'waiting-quota'))
                """,
            arguments: [update])
        try execute(
            sql: """
                UPDATE deliveries SET state = 'superseded', reason = ?, changed_ms = ?
                WHERE update_id = ? AND state IN ('pending', 'waiting-quota')
                """,
            arguments: [reason, nowMilliseconds, update])
        try execute(
            sql: "UPDATE updates SET state = ?, reason = ? WHERE id = ?", arguments: [state.rawValue, reason, update])
    }

    func mark(_ name: String) throws -> String? {
        try String.fetchOne(self, sql: "SELECT value FROM marks WHERE name = ?", arguments: [name])
    }

    func setMark(_ name: String, _ value: String) throws {
        try execute(
            sql: "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            arguments: [name, value])
    }
}
