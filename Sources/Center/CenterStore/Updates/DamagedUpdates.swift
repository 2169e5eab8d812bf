// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
public import EpitopeModel
import FoundationEssentials
import GRDB
import Signatures

extension CenterStore {
    /// Removes updates in force whose record can't be read, and has them made again: those that this center made from the packets of
    /// their cluster, the global center's by its feed, which is read from its beginning.
    public func remake(_ damaged: [Int64]) async throws(EpitopeError) {
        try await transaction { transaction in
            for id in damaged { try transaction.remake(id) }
        }
    }

    /// Mends what can't be read of the updates in force, each by itself: an update that was published by its copy in the feed, another
    /// one by making it again; an entry of the feed by publishing the update once more, for subscribers have passed over it.
    ///
    /// It reads all updates in force, some hundred at a time.
    ///
    /// - Returns: how many were mended.
    public func mendUpdates() async throws(EpitopeError) -> Int {
        var (last, count): (Int64, Int) = (0, 0)
        while true {
            let after = last
            let (end, damaged) = try await snapshot { try $0.damagedUpdates(after: after) }
            for id in damaged { try await transaction { try $0.mend(id) } }
            count += damaged.count
            guard let end else { return count }
            last = end
        }
    }
}

extension StoreTransaction {
    /// Rows at a time.
    private static let mendingStep = 256

    /// The updates in force, from a number on, whose record or entry in this center's feed can't be read.
    ///
    /// - Returns: with the number of the last that was looked at; `nil`: there are no more.
    fileprivate func damagedUpdates(after id: Int64) throws -> (end: Int64?, damaged: [Int64]) {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT u.id, u.body, f.body AS published FROM updates u LEFT JOIN feed f ON f.sequence = u.sequence
                WHERE u.id > ? AND u.state = \(UpdateState.proven.sql) ORDER BY u.id LIMIT ?
                """,
            arguments: [id, Self.mendingStep])
        let damaged = rows.filter { row in
            [row["body"], row["published"] as String?].contains { body in body.map { Self.readable($0) == nil } ?? false }
        }
        return (rows.count < Self.mendingStep ? nil : rows.last?["id"], damaged.map { $0["id"] })
    }

    private static func readable(_ body: String) -> SignatureUpdate? { try? RowCoding.value(SignatureUpdate.self, body) }

    fileprivate func mend(_ id: Int64) throws {
        let select = """
            SELECT u.body, f.body AS published, f.revises FROM updates u LEFT JOIN feed f ON f.sequence = u.sequence
            WHERE u.id = ? AND u.state = \(UpdateState.proven.sql)
            """
        guard let row = try Row.fetchOne(db, sql: select, arguments: [id]) else { return }
        let (own, published) = (Self.readable(row["body"]), (row["published"] as String?).flatMap(Self.readable))
        if let published, own == nil {
            try db.execute(sql: "UPDATE updates SET body = ? WHERE id = ?", arguments: [try RowCoding.json(published), id])
            return try record(.proven, published.signature.id, "its record can't be read: it is put back by the feed's")
        }
        guard let own else { return try remake(id) }
        guard (row["published"] as String?) != nil, published == nil else { return }
        let again = try publish(own, revising: [])
        guard case .global(let sequence) = again.origin else { return }
        try db.execute(
            sql: "UPDATE updates SET sequence = ?, body = ? WHERE id = ?", arguments: [sequence, try RowCoding.json(again), id])
        try db.execute(sql: "UPDATE feed SET revises = ? WHERE sequence = ?", arguments: [row["revises"] as String?, sequence])
    }

    fileprivate func remake(_ id: Int64) throws {
        let select = "SELECT signature_id, cluster_id, rule_id FROM updates WHERE id = ?"
        guard let row = try Row.fetchOne(db, sql: select, arguments: [id]) else { return }
        tally.counts.lost[.updatesDamaged, default: 0] += 1
        let (signature, cluster, rule): (String, Int64?, Int64?) = (row["signature_id"], row["cluster_id"], row["rule_id"])
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
        guard let cluster else {
            // It came by the feed: those that this center makes have a cluster as long as they are in force.
            try record(.unproven, signature, "its record can't be read: it is taken from the global center's feed again")
            return try beginFeedAnew(because: "a record of the global center's feed can't be read any more")
        }
        try record(.unproven, signature, "its record can't be read: it is made again from its packets")
        // A cluster that can't be read, either, is made anew by the analysis of the packet that made it.
        if try readableCluster(cluster) == nil, let packet = try oldestPackets(of: cluster, limit: 1).first {
            try db.execute(sql: "INSERT INTO waiting_reports (report_seq) VALUES (?) ON CONFLICT DO NOTHING", arguments: [packet])
        }
        try requestProof(of: cluster)
    }
}
