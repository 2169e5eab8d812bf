// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

extension CenterStore {
    /// Removes updates in force whose record can't be read, and has them made again: a site's own from the packets of its cluster, the
    /// global center's by its feed, which is read from its beginning.
    public func remake(_ damaged: [Int64]) async throws(EpitopeError) {
        try await transaction { transaction in
            for id in damaged { try transaction.remake(id) }
        }
    }
}

extension StoreTransaction {
    fileprivate func remake(_ id: Int64) throws {
        let select = "SELECT signature_id, origin, cluster_id, rule_id FROM updates WHERE id = ?"
        guard let row = try Row.fetchOne(db, sql: select, arguments: [id]) else { return }
        let (signature, rule): (String, Int64?) = (row["signature_id"], row["rule_id"])
        // Nothing can be made of a cluster that can't be read, either.
        let cluster = (row["cluster_id"] as Int64?).flatMap { try? self.cluster($0) }
        // The new one has the use of the quota that this one had.
        try db.execute(
            sql: """
                DELETE FROM quota_uses WHERE item_kind = \(QuotaItem.Kind.delivery.sql)
                  AND item IN (SELECT id FROM deliveries WHERE update_id = ?)
                """,
            arguments: [id])
        try db.execute(sql: "UPDATE updates SET replaced_by = NULL WHERE replaced_by = ?", arguments: [id])
        try db.execute(sql: "DELETE FROM updates WHERE id = ?", arguments: [id])
        // Its number goes with its signature.
        try db.execute(
            sql: "DELETE FROM rules WHERE id = ? AND NOT EXISTS (SELECT 1 FROM updates WHERE rule_id = rules.id)", arguments: [rule])
        guard (row["origin"] as String) == UpdateOrigin.site.rawValue else {
            try record(.unproven, signature, "its record can't be read: it is taken from the global center's feed again")
            return try beginFeedAnew()
        }
        guard let cluster else { return try record(.unproven, signature, "its record can't be read, nor that of its cluster") }
        try record(.unproven, signature, "its record can't be read: it is made again from its packets")
        try requestProof(of: cluster.id)
    }
}
