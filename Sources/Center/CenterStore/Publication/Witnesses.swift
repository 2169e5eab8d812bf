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
        var reporters = try reporters(of: cluster)
        if let reporter { reporters.insert(reporter) }
        return try publication(of: cluster, supportedBy: reporters)
    }

    /// Those who reported a cluster, as many as are looked at.
    func reporters(of cluster: Int64) throws -> Set<String> {
        let select = try db.cachedStatement(sql: "SELECT DISTINCT reporter FROM evidence WHERE cluster_id = ? LIMIT ?")
        return Set(try String.fetchAll(select, arguments: [cluster, Self.maxWitnesses]))
    }

    /// Whether what some reporters of a cluster say may be published. The evidence of one that was revoked since counts no more.
    public func publication(of cluster: Int64, supportedBy reporters: Set<String>) throws -> PublicationDecision {
        PublicationDecision(try supporters(of: cluster, among: reporters).map(\.witness))
    }

    /// How many of some reporters of a cluster are independent of each other, at least.
    public func independentReporters(of cluster: Int64, among reporters: Set<String>) throws -> Int {
        PublicationDecision.countIndependent(try supporters(of: cluster, among: reporters).map(\.witness))
    }

    /// Those of some reporters whose evidence of a cluster counts.
    func supporters(
        of cluster: Int64, among reporters: Set<String>
    ) throws -> [(source: ReportSource, witness: PublicationDecision.Witness)] {
        let select = try db.cachedStatement(
            sql: """
                SELECT e.machine, p.networks, p.is_trusted FROM
                  (SELECT max(time_ms) AS time_ms, max(machine) AS machine FROM evidence WHERE cluster_id = ?1 AND reporter = ?2) e
                  LEFT JOIN peers p ON p.reporter = ?2
                WHERE e.time_ms IS NOT NULL AND NOT EXISTS (
                  SELECT 1 FROM revocations r WHERE r.role = ?3 AND r.name = ?4 AND r.time_ms >= e.time_ms)
                """)
        return try reporters.compactMap { reporter in
            let (role, name) = Self.parts(ofReporter: reporter)
            return try Row.fetchOne(select, arguments: [cluster, reporter, role, name]).map { row in
                let networks = Set(StatusReport.Peer.networks(row["networks"] ?? ""))
                return (
                    ReportSource(reporter: reporter, machine: row["machine"]),
                    PublicationDecision.Witness(networks: networks, isTrusted: row["is_trusted"] ?? false)
                )
            }
        }
    }

    /// A reporter's role and name.
    private static func parts(ofReporter reporter: String) -> (role: String, name: String) {
        let parts = reporter.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return parts.count == 2 ? (parts[0], parts[1]) : ("", reporter)
    }

    /// Who reported a cluster by an update of theirs, or by what they concluded, for which no packet is needed.
    public func reportersOfUpdates(of cluster: Int64) throws -> Set<String> {
        let select = try db.cachedStatement(sql: "SELECT reporter FROM evidence WHERE cluster_id = ? AND kind IN (?, ?) LIMIT ?")
        let kinds = [WeighedEvidence.siteUpdate, WeighedEvidence.siteConclusion]
        return Set(try String.fetchAll(select, arguments: [cluster, kinds[0], kinds[1], Self.maxWitnesses]))
    }
}
