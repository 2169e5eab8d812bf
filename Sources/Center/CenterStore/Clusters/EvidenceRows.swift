// SPDX-License-Identifier: Apache-2.0

public import Correlation
import GRDB

/// Where evidence adds up: a cluster, or the whole site.
public enum EvidenceScope: Hashable, Sendable {
    case cluster(Int64)
    case site

    /// The site has the number that no cluster has.
    var number: Int64 {
        switch self {
        case .cluster(let id): id
        case .site: 0
        }
    }
}

/// Evidence: a row a cluster (or the site), reporter and kind, of which only the latest is kept, since each kind counts once per
/// reporter. A row is marked (`counted`) while its points are part of the sum.
extension StoreTransaction {
    /// Adds evidence, and brings the sum up to date: what became too old to count leaves it.
    ///
    /// Reads the rows of the reporters of the evidence, and those that leave the sum; each leaves once. Evidence counts for the
    /// reporter that it names: see ``reporter(countedFor:in:)``. Where each packet counts, the packets that it names do, too.
    public func add(_ evidence: [WeighedEvidence], to scope: EvidenceScope, by threshold: AttackThreshold) throws -> EvidenceSum {
        let start = threshold.windowStart(nowMilliseconds: nowMilliseconds)
        var kept = try currentSum(of: scope, by: threshold, from: start)
        let upsert = try db.cachedStatement(
            sql: """
                INSERT INTO evidence (cluster_id, reporter, kind, points, time_ms, machine, counted)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                ON CONFLICT (cluster_id, reporter, kind) DO UPDATE SET points = excluded.points,
                  time_ms = CASE WHEN excluded.time_ms > evidence.time_ms THEN excluded.time_ms ELSE evidence.time_ms END,
                  counted = CASE WHEN excluded.counted = 1 OR evidence.time_ms > ?8 THEN 1 ELSE 0 END
                """)
        for (reporter, items) in Dictionary(grouping: evidence, by: \.reporter) {
            if try !isKnown(reporter, in: scope) { kept.knownReporters += 1 }
            if kept.firstSource == nil { kept.firstSource = ReportSource(reporter: reporter, machine: items.first?.machine) }
            let before = try countedEvidence(of: reporter, in: scope, by: threshold.counting)
            for item in items {
                try upsert.execute(arguments: [
                    scope.number, reporter, item.kind, item.points, item.timeMilliseconds, item.machine,
                    item.timeMilliseconds > start, start,
                ])
                if item.timeMilliseconds > start { kept.oldestMilliseconds = min(kept.oldestMilliseconds, item.timeMilliseconds) }
            }
            if threshold.counting == .packets { try add(packetsOf: items, by: reporter, to: scope, threshold, from: start) }
            kept.sum.replace(before, by: try countedEvidence(of: reporter, in: scope, by: threshold.counting), cappedAt: threshold)
        }
        try save(kept, of: scope)
        return kept.sum
    }

    /// The reporter under whose name the evidence of somebody counts in a cluster, or in the site: the one that reported from the same
    /// machine before, where this one has not reported yet. So two names on one machine are one reporter, and so is one name that
    /// moves from machine to machine.
    public func reporter(countedFor source: ReportSource, in scope: EvidenceScope) throws -> String {
        guard let machine = source.machine, try !isKnown(source.reporter, in: scope) else { return source.reporter }
        let select = try db.cachedStatement(
            sql: "SELECT reporter FROM evidence WHERE cluster_id = ? AND machine = ? ORDER BY reporter LIMIT 1")
        return try String.fetchOne(select, arguments: [scope.number, machine]) ?? source.reporter
    }

    private func isKnown(_ reporter: String, in scope: EvidenceScope) throws -> Bool {
        let select = try db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM evidence WHERE cluster_id = ? AND reporter = ?)")
        return try Bool.fetchOne(select, arguments: [scope.number, reporter]) ?? false
    }

    /// Of the reporters of a cluster so many are told apart where that costs something each time.
    private static let maxSources = 16

    /// Who reported a cluster, and from where: the first of them by name.
    public func sources(of cluster: Int64) throws -> [ReportSource] {
        let select = try db.cachedStatement(
            sql: "SELECT reporter, max(machine) AS machine FROM evidence WHERE cluster_id = ? GROUP BY reporter ORDER BY reporter LIMIT ?")
        return try Row.fetchAll(select, arguments: [cluster, Self.maxSources]).map { row in
            ReportSource(reporter: row["reporter"], machine: row["machine"])
        }
    }

    /// Whether somebody is among those who reported a cluster, by name or by machine.
    public func isReported(_ cluster: Int64, by source: ReportSource) throws -> Bool {
        if try isKnown(source.reporter, in: .cluster(cluster)) { return true }
        guard source.machine != nil else { return false }
        return try reporter(countedFor: source, in: .cluster(cluster)) != source.reporter
    }

    /// A reporter's evidence that is part of the sum.
    func countedEvidence(
        of reporter: String, in scope: EvidenceScope, by counting: AttackThreshold.Counting
    ) throws -> ReporterEvidence {
        // Not by the index of all counted rows.
        let select = try db.cachedStatement(
            sql: "SELECT kind, points FROM evidence WHERE cluster_id = ? AND reporter = ? AND \(db.unindexed("counted")) = 1")
        var evidence = ReporterEvidence()
        for row in try Row.fetchAll(select, arguments: [scope.number, reporter]) { evidence.add(kind: row["kind"], points: row["points"]) }
        if counting == .packets { for points in try countedPackets(of: reporter, in: scope) { evidence.add(packet: points) } }
        return evidence
    }

    /// The kinds of a cluster's evidence that is part of its sum.
    public func evidenceKinds(of cluster: Int64) throws -> Set<String> { Set(try countedKinds(in: .cluster(cluster))) }

    /// Skips from kind to kind: the cost goes with the number of kinds.
    func countedKinds(in scope: EvidenceScope) throws -> [String] {
        let select = try db.cachedStatement(
            sql: """
                WITH RECURSIVE kinds(kind) AS (
                  SELECT (SELECT kind FROM evidence WHERE cluster_id = ?1 AND counted = 1 ORDER BY kind LIMIT 1)
                  UNION ALL
                  SELECT (SELECT e.kind FROM evidence e WHERE e.cluster_id = ?1 AND e.counted = 1 AND e.kind > kinds.kind
                    ORDER BY e.kind LIMIT 1) FROM kinds WHERE kinds.kind IS NOT NULL
                ) SELECT kind FROM kinds WHERE kind IS NOT NULL
                """)
        return try String.fetchAll(select, arguments: [scope.number])
    }

    /// The clusters with evidence later than a time.
    public func clustersWithEvidence(after start: Int64) throws -> [Cluster] {
        try Int64.fetchAll(
            db, sql: "SELECT DISTINCT cluster_id FROM evidence WHERE time_ms > ? AND cluster_id <> ? ORDER BY cluster_id",
            arguments: [start, EvidenceScope.site.number]
        ).compactMap { try readableCluster($0) }
    }
}
