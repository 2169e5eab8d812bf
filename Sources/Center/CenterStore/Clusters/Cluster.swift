// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import GRDB
public import Signatures

/// A cluster of similar packets, and the signature that identifies it: the first packet's, with the context of all.
public struct Cluster: Sendable {
    public var id: Int64
    public var signature: Signature

    public init(id: Int64, signature: Signature) {
        self.id = id
        self.signature = signature
    }
}

extension StoreTransaction {
    /// - Returns: `nil` when the cluster was pruned.
    public func cluster(_ id: Int64) throws -> Cluster? {
        guard let json = try String.fetchOne(db, sql: "SELECT signature FROM clusters WHERE id = ?", arguments: [id])
        else { return nil }
        return Cluster(id: id, signature: try DecodedTexts<Signature>.signatures.value(json))
    }

    /// - Returns: `nil` when the cluster was pruned, and when its record can't be read: that holds up no other's work.
    public func readableCluster(_ id: Int64) throws -> Cluster? {
        do {
            return try cluster(id)
        } catch is EpitopeError {
            return nil
        }
    }

    /// Adds a cluster with the signature of its first packet.
    public func addCluster(of signature: Signature) throws -> Cluster {
        let id = try db.insert(
            sql: "INSERT INTO clusters (signature_id, signature, created_ms) VALUES (?, ?, ?)",
            arguments: [signature.id, try RowCoding.json(signature), nowMilliseconds], returning: "id")
        tally.counts.clusters += 1
        return Cluster(id: id, signature: signature)
    }

    /// Stores the cluster's signature with the context that it has now.
    public func update(_ cluster: Cluster) throws {
        try db.execute(
            sql: "UPDATE clusters SET signature = ? WHERE id = ?",
            arguments: [try RowCoding.json(cluster.signature), cluster.id])
    }

    /// The number of the cluster whose first packet had this signature.
    public func clusterNumber(ofSignature id: String) throws -> Int64? {
        let select = try db.cachedStatement(sql: "SELECT id FROM clusters WHERE signature_id = ?")
        return try Int64.fetchOne(select, arguments: [id])
    }

    /// The newest clusters, of all and of those that several reported, with each signature that packets join them by, the oldest first:
    /// their own, and those of their proven updates; and who reported it. A signature that can't be read is left out: packets no longer join by it, and
    /// those of all others do.
    public func clusterSignatures(limit: Int) throws -> [(cluster: Cluster, weight: ClusterWeight)] {
        let own = try Row.fetchAll(
            db,
            sql: """
                SELECT c.id, c.signature, \(ClusterWeight.columns) FROM clusters c LEFT JOIN cluster_sums s ON s.cluster_id = c.id
                WHERE c.id IN (SELECT id FROM clusters ORDER BY id DESC LIMIT ?1)
                  OR c.id IN (SELECT cluster_id FROM cluster_sums WHERE known_reporters > 1 ORDER BY cluster_id DESC LIMIT ?1)
                ORDER BY c.id
                """,
            arguments: [limit]
        ).compactMap { row -> (cluster: Cluster, weight: ClusterWeight)? in
            guard let signature = try? RowCoding.value(Signature.self, row["signature"]) else { return nil }
            return (Cluster(id: row["id"], signature: signature), ClusterWeight(row))
        }
        let proven = try Row.fetchAll(
            db,
            sql: """
                SELECT u.cluster_id, u.body, \(ClusterWeight.columns) FROM updates u
                LEFT JOIN cluster_sums s ON s.cluster_id = u.cluster_id
                WHERE u.state = \(UpdateState.proven.sql) AND u.cluster_id IS NOT NULL ORDER BY u.id DESC LIMIT ?
                """,
            arguments: [limit]
        ).reversed().compactMap { row -> (cluster: Cluster, weight: ClusterWeight)? in
            guard let update = try? RowCoding.value(SignatureUpdate.self, row["body"]) else { return nil }
            return (Cluster(id: row["cluster_id"], signature: update.signature), ClusterWeight(row))
        }
        return own + proven
    }
}
