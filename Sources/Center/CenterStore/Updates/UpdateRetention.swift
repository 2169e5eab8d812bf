// SPDX-License-Identifier: Apache-2.0

import GRDB

extension StoreTransaction {
    /// Removes updates that ended long ago, with their deliveries, and the bodies of what was published of them. A withdrawn one stays:
    /// it can be reinstated while its lifetime lasts. The feed keeps the number and the mark of each entry, by which subscribers name
    /// their place, and the withdrawals.
    ///
    /// - Returns: how many.
    func pruneUpdates(before cutoff: Int64, limit: Int) throws -> Int {
        let ended = try Row.fetchAll(
            db,
            sql: """
                SELECT u.id, u.sequence, u.rule_id FROM updates u
                WHERE u.state <> \(UpdateState.proven.sql) AND u.expires_ms < ?1 AND u.created_ms < ?1
                  AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.update_id = u.id AND d.state IN \(Self.notOver.sql))
                LIMIT ?2
                """,
            arguments: [cutoff, limit])
        for row in ended {
            let (id, sequence, rule): (Int64, Int64?, Int64?) = (row["id"], row["sequence"], row["rule_id"])
            try db.execute(sql: "UPDATE updates SET replaced_by = NULL WHERE replaced_by = ?", arguments: [id])
            try db.execute(sql: "DELETE FROM updates WHERE id = ?", arguments: [id])
            try db.execute(sql: "UPDATE feed SET body = '' WHERE sequence = ?", arguments: [sequence])
            try db.execute(
                sql: "DELETE FROM rules WHERE id = ? AND NOT EXISTS (SELECT 1 FROM updates WHERE rule_id = rules.id)", arguments: [rule])
        }
        return ended.count
    }

    private static let notOver = DeliveryState.underWay + [.leaving]

    /// Removes tokens that expired unused. Those that were used tell who has enrolled.
    func pruneTokens(before cutoff: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM tokens WHERE secret_hash IN (
                  SELECT secret_hash FROM tokens WHERE used_ms IS NULL AND expires_ms < ? ORDER BY expires_ms LIMIT ?)
                """,
            arguments: [cutoff, limit])
        let removed = db.changesCount
        // Who enrolled by one is told by the events.
        try db.execute(sql: "DELETE FROM group_tokens WHERE expires_ms < ?", arguments: [cutoff])
        return removed
    }
}
