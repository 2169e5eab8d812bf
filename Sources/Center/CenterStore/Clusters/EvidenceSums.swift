// SPDX-License-Identifier: Apache-2.0

public import Correlation
import EpitopeModel
import GRDB

/// A row of `cluster_sums`: what the evidence of a cluster adds up to, with all that is needed to keep that true.
struct KeptSum {
    var sum: EvidenceSum
    /// No counted evidence is older, by the center's clock.
    var oldestMilliseconds: Int64
    /// Evidence later than this was counted.
    var startMilliseconds: Int64
    /// The threshold's cap on a reporter's points, which the sum was made with.
    var maxPointsPerReporter: Int
    /// What counts of a reporter's reports, which the sum was made with.
    var counting: AttackThreshold.Counting
    /// All who ever brought evidence, as far as it is kept.
    var knownReporters: Int
    var firstSource: ReportSource?
}

/// What a cluster weighs.
public struct ClusterWeight: Hashable, Sendable {
    public var sum: EvidenceSum
    /// All who ever reported it.
    public var reporters: Int
    /// Who reported it first; `nil`: that isn't known.
    public var firstSource: ReportSource?
    /// The only one; `nil`: there are several.
    public var soleSource: ReportSource? { reporters == 1 ? firstSource : nil }

    /// Of no evidence.
    static let zero = ClusterWeight(sum: .zero, reporters: 0)
}

extension ClusterWeight {
    /// What ``init(_:)`` reads, of `cluster_sums s`.
    static let columns = "s.points, s.reporters, s.known_reporters, s.first_reporter, s.first_machine"

    /// - Parameter row: may be one in which all of it is NULL.
    init(_ row: Row) {
        self.init(
            sum: EvidenceSum(points: row["points"] ?? 0, reporters: row["reporters"] ?? 0), reporters: row["known_reporters"] ?? 0,
            firstSource: ReportSource.known(row["first_reporter"], at: row["first_machine"]))
    }
}

extension ReportSource {
    static func known(_ reporter: String?, at machine: String?) -> ReportSource? {
        reporter.map { ReportSource(reporter: $0, machine: machine) }
    }
}

extension StoreTransaction {
    /// In milliseconds: so far the clock may go back without the evidence being added up anew.
    private static let clockTolerance = Duration.seconds(60).inMilliseconds

    /// The sum of the evidence later than a time. What is older leaves it.
    ///
    /// A sum that was made otherwise (with another cap, or a longer window; or evidence was removed meanwhile) is made anew of all
    /// evidence.
    func currentSum(of scope: EvidenceScope, by threshold: AttackThreshold, from start: Int64) throws -> KeptSum {
        guard var kept = try keptSum(of: scope), kept.maxPointsPerReporter == threshold.maxPointsPerReporter,
            kept.counting == threshold.counting,
            start >= kept.startMilliseconds.subtractingReportingOverflow(Self.clockTolerance).partialValue
        else { return try addedUp(scope, by: threshold, from: start) }
        guard start > kept.startMilliseconds else { return kept }
        kept.startMilliseconds = start
        if kept.oldestMilliseconds <= start { try expire(from: &kept, of: scope, by: threshold) }
        return kept
    }

    private func keptSum(of scope: EvidenceScope) throws -> KeptSum? {
        let select = try db.cachedStatement(
            sql: """
                SELECT points, reporters, oldest_ms, start_ms, cap, counts_packets, known_reporters, first_reporter, first_machine
                FROM cluster_sums WHERE cluster_id = ?
                """)
        return try Row.fetchOne(select, arguments: [scope.number]).map { row in
            KeptSum(
                sum: EvidenceSum(points: row["points"], reporters: row["reporters"]), oldestMilliseconds: row["oldest_ms"],
                startMilliseconds: row["start_ms"], maxPointsPerReporter: row["cap"], counting: row["counts_packets"] ? .packets : .kinds,
                knownReporters: row["known_reporters"],
                firstSource: ReportSource.known(row["first_reporter"], at: row["first_machine"]))
        }
    }

    func save(_ kept: KeptSum, of scope: EvidenceScope) throws {
        let upsert = try db.cachedStatement(
            sql: """
                INSERT INTO cluster_sums
                  (cluster_id, points, reporters, oldest_ms, start_ms, cap, counts_packets, known_reporters, first_reporter, first_machine)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (cluster_id) DO UPDATE SET points = excluded.points, reporters = excluded.reporters,
                  oldest_ms = excluded.oldest_ms, start_ms = excluded.start_ms, cap = excluded.cap, counts_packets = excluded.counts_packets,
                  known_reporters = excluded.known_reporters,
                  first_reporter = excluded.first_reporter, first_machine = excluded.first_machine
                """)
        try upsert.execute(arguments: [
            scope.number, kept.sum.points, kept.sum.reporters, kept.oldestMilliseconds, kept.startMilliseconds,
            kept.maxPointsPerReporter, kept.counting == .packets, kept.knownReporters, kept.firstSource?.reporter,
            kept.firstSource?.machine,
        ])
    }

    /// Takes out of a sum what is no later than its start.
    private func expire(from kept: inout KeptSum, of scope: EvidenceScope, by threshold: AttackThreshold) throws {
        let due = try db.cachedStatement(
            sql: "SELECT DISTINCT reporter FROM evidence WHERE cluster_id = ? AND counted = 1 AND kind = ? AND time_ms <= ?")
        let uncount = try db.cachedStatement(
            sql: "UPDATE evidence SET counted = 0 WHERE cluster_id = ? AND reporter = ? AND \(db.unindexed("counted")) = 1 AND time_ms <= ?"
        )
        let oldest = try db.cachedStatement(
            sql: "SELECT time_ms FROM evidence WHERE cluster_id = ? AND counted = 1 AND kind = ? ORDER BY time_ms LIMIT 1")
        let countsPackets = threshold.counting == .packets
        var reporters = Set(try countsPackets ? reportersOfPackets(countedIn: scope, until: kept.startMilliseconds) : [])
        for kind in try countedKinds(in: scope) {
            reporters.formUnion(try String.fetchAll(due, arguments: [scope.number, kind, kept.startMilliseconds]))
        }
        for reporter in reporters {
            let before = try countedEvidence(of: reporter, in: scope, by: threshold.counting)
            try uncount.execute(arguments: [scope.number, reporter, kept.startMilliseconds])
            if countsPackets { try uncountPackets(of: reporter, in: scope, until: kept.startMilliseconds) }
            kept.sum.replace(before, by: try countedEvidence(of: reporter, in: scope, by: threshold.counting), cappedAt: threshold)
        }
        kept.oldestMilliseconds = try countsPackets ? oldestPacket(countedIn: scope) ?? .max : .max
        for kind in try countedKinds(in: scope) {
            let time = try Int64.fetchOne(oldest, arguments: [scope.number, kind]) ?? .max
            kept.oldestMilliseconds = min(kept.oldestMilliseconds, time)
        }
    }

    /// Adds up all evidence: the sum of a store that had none, or after the settings changed.
    private func addedUp(_ scope: EvidenceScope, by threshold: AttackThreshold, from start: Int64) throws -> KeptSum {
        if scope == .site { try copyEvidenceToSite() }
        try db.execute(
            sql: """
                UPDATE evidence SET counted = 1 - counted
                WHERE cluster_id = ?2 AND counted <> CASE WHEN time_ms > ?1 THEN 1 ELSE 0 END
                """,
            arguments: [start, scope.number])
        var kept = KeptSum(
            sum: .zero, oldestMilliseconds: .max, startMilliseconds: start, maxPointsPerReporter: threshold.maxPointsPerReporter,
            counting: threshold.counting, knownReporters: 0, firstSource: nil)
        let packets = try recountPackets(in: scope, by: threshold.counting, from: start)
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT reporter, kind, points, time_ms, machine, counted FROM evidence WHERE cluster_id = ? ORDER BY time_ms, reporter",
            arguments: [scope.number])
        // The first of which there is evidence still.
        let first = try keptSum(of: scope)?.firstSource
        kept.firstSource =
            rows.contains { $0["reporter"] == first?.reporter }
            ? first : rows.first.map { ReportSource(reporter: $0["reporter"], machine: $0["machine"]) }
        for (reporter, rows) in Dictionary(grouping: rows, by: { $0["reporter"] as String }) {
            let (counted, packets) = (rows.filter { $0["counted"] }, packets[reporter] ?? [])
            kept.knownReporters += 1
            var evidence = counted.reduce(into: ReporterEvidence()) { $0.add(kind: $1["kind"], points: $1["points"]) }
            for packet in packets { evidence.add(packet: packet.points) }
            kept.sum.replace(ReporterEvidence(), by: evidence, cappedAt: threshold)
            kept.oldestMilliseconds = counted.reduce(kept.oldestMilliseconds) { min($0, $1["time_ms"]) }
            kept.oldestMilliseconds = packets.reduce(kept.oldestMilliseconds) { min($0, $1.time) }
        }
        return kept
    }

    /// The site's evidence is that of all clusters, each kind once a reporter; the reporters of one machine are one.
    private func copyEvidenceToSite() throws {
        try db.execute(
            sql: """
                WITH names AS (
                  SELECT machine, min(reporter) AS name FROM evidence WHERE cluster_id <> ?1 AND machine IS NOT NULL GROUP BY machine)
                INSERT INTO evidence (cluster_id, reporter, kind, points, time_ms, machine)
                  SELECT CAST(?1 AS BIGINT), coalesce(n.name, e.reporter), e.kind, max(e.points), max(e.time_ms), max(e.machine)
                  FROM evidence e LEFT JOIN names n ON n.machine = e.machine WHERE e.cluster_id <> ?1 GROUP BY 2, 3
                ON CONFLICT (cluster_id, reporter, kind) DO UPDATE SET points = excluded.points, time_ms = excluded.time_ms
                """,
            arguments: [EvidenceScope.site.number])
    }

    /// Lets go of the site's sum, where evidence is no longer added to it.
    public func forgetSiteSum() throws {
        try db.execute(sql: "DELETE FROM cluster_sums WHERE cluster_id = ?", arguments: [EvidenceScope.site.number])
        try db.execute(sql: "DELETE FROM evidence WHERE cluster_id = ?", arguments: [EvidenceScope.site.number])
        try db.execute(sql: "DELETE FROM counted_packets WHERE cluster_id = ?", arguments: [EvidenceScope.site.number])
    }
}

extension StoreTransaction {
    /// What a cluster weighs as of its latest report.
    public func weight(of cluster: Int64) throws -> ClusterWeight {
        let select = try db.cachedStatement(sql: "SELECT \(ClusterWeight.columns) FROM cluster_sums s WHERE s.cluster_id = ?")
        return try Row.fetchOne(select, arguments: [cluster]).map(ClusterWeight.init) ?? .zero
    }

    /// Counts a packet that became part of a cluster.
    public func countPacket(of cluster: Int64) throws {
        let count = try db.cachedStatement(
            sql: """
                INSERT INTO cluster_sums (cluster_id, packets) VALUES (?, 1)
                ON CONFLICT (cluster_id) DO UPDATE SET packets = cluster_sums.packets + 1
                """)
        try count.execute(arguments: [cluster])
    }

    /// How many packets became part of a cluster, those that were pruned since among them.
    public func packetsSoFar(of cluster: Int64) throws -> Int {
        let select = try db.cachedStatement(sql: "SELECT packets FROM cluster_sums WHERE cluster_id = ?")
        return try Int.fetchOne(select, arguments: [cluster]) ?? 0
    }
}
