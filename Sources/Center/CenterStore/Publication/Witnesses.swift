// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

extension StoreTransaction {
    /// The reporters of a cluster that a decision looks at: as many networks are enough, and the work for a report stays bounded.
    private static let maxWitnesses = 256

    /// Whether a cluster may be published, by all that report it.
    ///
    /// - Parameter reporter: one that is looked at however many others there are: who reported it last.
    public func publication(of cluster: Int64, reportedBy reporter: String? = nil) throws -> PublicationDecision {
        let select = try db.cachedStatement(sql: "SELECT DISTINCT reporter FROM evidence WHERE cluster_id = ? LIMIT ?")
        var reporters = Set(try String.fetchAll(select, arguments: [cluster, Self.maxWitnesses]))
        if let reporter { reporters.insert(reporter) }
        return try publication(of: cluster, supportedBy: reporters)
    }

    /// Whether what some reporters of a cluster say may be published. The evidence of one that was revoked since counts no more.
    public func publication(of cluster: Int64, supportedBy reporters: Set<String>) throws -> PublicationDecision {
        PublicationDecision(try witnesses(of: cluster, among: reporters))
    }

    /// How many of some reporters of a cluster are independent of each other, at least.
    public func independentReporters(of cluster: Int64, among reporters: Set<String>) throws -> Int {
        PublicationDecision.countIndependent(try witnesses(of: cluster, among: reporters))
    }

    private func witnesses(of cluster: Int64, among reporters: Set<String>) throws -> [PublicationDecision.Witness] {
        let select = try db.cachedStatement(
            sql: """
                SELECT p.networks, p.is_trusted FROM
                  (SELECT max(time_ms) AS time_ms FROM evidence WHERE cluster_id = ?1 AND reporter = ?2) e
                  LEFT JOIN peers p ON p.reporter = ?2
                WHERE e.time_ms IS NOT NULL AND NOT EXISTS (
                  SELECT 1 FROM revocations r WHERE r.role = substr(?2, 1, instr(?2, ':') - 1)
                    AND r.name = substr(?2, instr(?2, ':') + 1) AND r.time_ms >= e.time_ms)
                """)
        return try reporters.compactMap { reporter in
            try Row.fetchOne(select, arguments: [cluster, reporter]).map { row in
                PublicationDecision.Witness(
                    networks: Set(StatusReport.Peer.networks(row["networks"] ?? "")), isTrusted: row["is_trusted"] ?? false)
            }
        }
    }

    /// Who reported a cluster by an update of theirs, without a packet.
    public func reportersOfUpdates(of cluster: Int64) throws -> Set<String> {
        let select = try db.cachedStatement(sql: "SELECT reporter FROM evidence WHERE cluster_id = ? AND kind = ? LIMIT ?")
        return Set(try String.fetchAll(select, arguments: [cluster, WeighedEvidence.siteUpdate, Self.maxWitnesses]))
    }
}
