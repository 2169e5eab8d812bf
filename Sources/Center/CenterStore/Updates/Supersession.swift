// SPDX-License-Identifier: Apache-2.0

import GRDB

/// How an update takes the place of others: of earlier ones of its rule, and of those that were said to be replaced by it.
///
/// What the IDS has stays in force until it has the later one. Should that wait for its quota, be refused or be withdrawn,
/// there is no moment without a rule.
extension StoreTransaction {
    /// The updates in force, or on their way, whose place an update takes. Its arguments: the update's number twice.
    private static let replaced = """
        SELECT o.id FROM updates n JOIN updates o ON o.rule_id = n.rule_id AND o.id < n.id
        WHERE n.id = ? AND o.state = \(UpdateState.proven.sql)
        UNION
        SELECT o.id FROM updates n JOIN updates v ON v.rule_id = n.rule_id AND v.id <= n.id
        JOIN updates o ON o.replaced_by = v.id AND o.id <> n.id
        WHERE n.id = ? AND o.state = \(UpdateState.proven.sql)
        """

    /// Says of updates that another one takes their place as soon as it is in force.
    public func replace(_ older: [StoredUpdate], by update: Int64) throws {
        for item in older where item.id != update {
            try db.execute(sql: "UPDATE updates SET replaced_by = ? WHERE id = ?", arguments: [update, item.id])
        }
    }

    /// Ends the updates whose place an update takes, and cancels their deliveries that are under way, with their quota. While
    /// the update itself is on its way to the IDS, those that the IDS has stay in force.
    public func supersede(by update: Int64) throws {
        let replaced: StoreArguments = [update, update]
        // What may never go out takes no place of what is on its way.
        if try isHeld(update) { return try supersedeHeld(Self.replaced, arguments: replaced) }
        try cancelDeliveries(of: Self.replaced, arguments: replaced, reason: nil)
        let isAwaited = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM deliveries WHERE update_id = ? AND target = \(DeliveryTarget.ids.sql)
                  AND state <> \(DeliveryState.delivered.sql))
                """,
            arguments: [update])
        let isAtIDS = """
            EXISTS (SELECT 1 FROM deliveries WHERE update_id = u.id AND target = \(DeliveryTarget.ids.sql)
              AND state = \(DeliveryState.delivered.sql))
            """
        let ended = try Row.fetchAll(
            db, sql: "SELECT u.id, u.signature_id FROM updates u WHERE u.id IN (\(Self.replaced)) AND NOT (? AND \(isAtIDS))",
            arguments: replaced + [isAwaited ?? false])
        guard !ended.isEmpty,
            let newer = try Row.fetchOne(db, sql: "SELECT signature_id, revision FROM updates WHERE id = ?", arguments: [update])
        else { return }
        let (signature, revision): (String, Int) = (newer["signature_id"], newer["revision"])
        for row in ended {
            let (id, older): (Int64, String) = (row["id"], row["signature_id"])
            try db.execute(sql: "UPDATE updates SET state = \(UpdateState.superseded.sql) WHERE id = ?", arguments: [id])
            guard older != signature else { continue }
            try record(.superseded, older, "signature \(signature) took its place, as revision \(revision)")
        }
    }

    /// Lets a new update have the place that one whose place it takes had in the queue for a target.
    ///
    /// Without that, an attack whose variants keep coming would be overtaken by all others. Only what waits for its quota is
    /// taken over: what has its quota may be at the IDS at this moment.
    ///
    /// - Returns: whether there was one.
    func takeOverDelivery(to target: DeliveryTarget, by update: Int64) throws -> Bool {
        let waiting = try Int64.fetchOne(
            db,
            sql: """
                SELECT min(id) FROM deliveries WHERE target = ? AND state = \(DeliveryState.waitingQuota.sql)
                  AND update_id IN (\(Self.replaced))
                """,
            arguments: [target.rawValue, update, update])
        guard let waiting else { return false }
        try db.execute(
            sql: "UPDATE deliveries SET update_id = ?, attempts = 0, reason = NULL, changed_ms = ? WHERE id = ?",
            arguments: [update, nowMilliseconds, waiting])
        try db.execute(
            sql: """
                UPDATE quota_queue SET cluster_id = (SELECT cluster_id FROM updates WHERE id = ?)
                WHERE item_kind = \(QuotaItem.Kind.delivery.sql) AND item = ?
                """,
            arguments: [update, waiting])
        return true
    }
}
