// SPDX-License-Identifier: Apache-2.0

import Correlation
import GRDB

/// Packets that count each (``Correlation/AttackThreshold/Counting/packets``): a row a cluster (or the site), reporter and packet, marked
/// (`counted`) while its points are part of the sum, as rows of evidence are.
///
/// Of a reporter only the newest are kept, as many as reach its share: they are the last to become too old, so that those before them
/// would never make a difference.
extension StoreTransaction {
    /// Of one reporter so many are kept at most, however little each weighs.
    static let maxCountedPackets = 256

    /// Adds the packets that evidence of one reporter came with.
    ///
    /// - Parameter start: what is no later does not count.
    func add(
        packetsOf evidence: [WeighedEvidence], by reporter: String, to scope: EvidenceScope, _ threshold: AttackThreshold,
        from start: Int64
    ) throws {
        let packets = AttackThreshold.packets(evidence)
        guard !packets.isEmpty else { return }
        let times = Dictionary(evidence.compactMap { item in item.packet.map { ($0, item.timeMilliseconds) } }, uniquingKeysWith: max)
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO counted_packets (cluster_id, reporter, report_seq, points, time_ms, counted) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """)
        for (packet, points) in packets {
            let time = times[packet] ?? start
            try insert.execute(arguments: [scope.number, reporter, packet, points, time, time > start])
        }
        try trimPackets(of: reporter, in: scope, threshold)
    }

    /// Removes those that can make no difference.
    private func trimPackets(of reporter: String, in scope: EvidenceScope, _ threshold: AttackThreshold) throws {
        let select = try db.cachedStatement(
            sql: """
                SELECT report_seq, points FROM counted_packets WHERE cluster_id = ? AND reporter = ?
                ORDER BY time_ms DESC, report_seq DESC
                """)
        let remove = try db.cachedStatement(sql: "DELETE FROM counted_packets WHERE cluster_id = ? AND reporter = ? AND report_seq = ?")
        var points = 0
        for (place, row) in try Row.fetchAll(select, arguments: [scope.number, reporter]).enumerated() {
            if points >= threshold.maxPointsPerReporter || place >= Self.maxCountedPackets {
                try remove.execute(arguments: [scope.number, reporter, row["report_seq"] as Int64])
            }
            points += row["points"] as Int
        }
    }

    /// The points of each packet of a reporter that is part of the sum.
    func countedPackets(of reporter: String, in scope: EvidenceScope) throws -> [Int] {
        let select = try db.cachedStatement(
            sql: "SELECT points FROM counted_packets WHERE cluster_id = ? AND reporter = ? AND \(db.unindexed("counted")) = 1")
        return try Int.fetchAll(select, arguments: [scope.number, reporter])
    }

    /// Who has packets in the sum that are no later than a time.
    func reportersOfPackets(countedIn scope: EvidenceScope, until time: Int64) throws -> [String] {
        let select = try db.cachedStatement(
            sql: "SELECT DISTINCT reporter FROM counted_packets WHERE cluster_id = ? AND counted = 1 AND time_ms <= ?")
        return try String.fetchAll(select, arguments: [scope.number, time])
    }

    /// Takes a reporter's packets out of the sum that are no later than a time.
    func uncountPackets(of reporter: String, in scope: EvidenceScope, until time: Int64) throws {
        let update = try db.cachedStatement(
            sql: """
                UPDATE counted_packets SET counted = 0
                WHERE cluster_id = ? AND reporter = ? AND \(db.unindexed("counted")) = 1 AND time_ms <= ?
                """)
        try update.execute(arguments: [scope.number, reporter, time])
    }

    /// When the oldest packet in the sum came in.
    func oldestPacket(countedIn scope: EvidenceScope) throws -> Int64? {
        let select = try db.cachedStatement(
            sql: "SELECT time_ms FROM counted_packets WHERE cluster_id = ? AND counted = 1 ORDER BY time_ms LIMIT 1")
        return try Int64.fetchOne(select, arguments: [scope.number])
    }

    /// Marks what counts, to add it up anew; where packets don't count each, removes them.
    ///
    /// - Returns: the points of those that count, and when each came in, by reporter.
    func recountPackets(
        in scope: EvidenceScope, by counting: AttackThreshold.Counting, from start: Int64
    ) throws -> [String: [(points: Int, time: Int64)]] {
        guard counting == .packets else {
            try db.execute(sql: "DELETE FROM counted_packets WHERE cluster_id = ?", arguments: [scope.number])
            return [:]
        }
        if scope == .site { try copyPacketsToSite() }
        try db.execute(
            sql: """
                UPDATE counted_packets SET counted = 1 - counted
                WHERE cluster_id = ?2 AND counted <> CASE WHEN time_ms > ?1 THEN 1 ELSE 0 END
                """,
            arguments: [start, scope.number])
        let rows = try Row.fetchAll(
            db, sql: "SELECT reporter, points, time_ms FROM counted_packets WHERE cluster_id = ? AND counted = 1", arguments: [scope.number]
        )
        return Dictionary(grouping: rows) { $0["reporter"] as String }.mapValues { rows in
            rows.map { (points: $0["points"] as Int, time: $0["time_ms"] as Int64) }
        }
    }

    /// The site's packets are those of all clusters; the reporters of one machine are one.
    private func copyPacketsToSite() throws {
        try db.execute(
            sql: """
                WITH names AS (
                  SELECT machine, min(reporter) AS name FROM evidence WHERE cluster_id <> ?1 AND machine IS NOT NULL GROUP BY machine),
                machines AS (SELECT reporter, max(machine) AS machine FROM evidence WHERE cluster_id <> ?1 GROUP BY reporter)
                INSERT INTO counted_packets (cluster_id, reporter, report_seq, points, time_ms)
                  SELECT CAST(?1 AS BIGINT), coalesce(n.name, p.reporter), p.report_seq, max(p.points), max(p.time_ms)
                  FROM counted_packets p LEFT JOIN machines m ON m.reporter = p.reporter LEFT JOIN names n ON n.machine = m.machine
                  WHERE p.cluster_id <> ?1 GROUP BY 2, 3
                ON CONFLICT DO NOTHING
                """,
            arguments: [EvidenceScope.site.number])
    }

    /// Removes the oldest packets of before a time. A sum that they were part of is to be made anew.
    func pruneCountedPackets(before cutoff: Int64, limit: Int) throws -> Int {
        let removed = try Row.fetchAll(
            db,
            sql: """
                DELETE FROM counted_packets WHERE (cluster_id, reporter, report_seq) IN (
                  SELECT cluster_id, reporter, report_seq FROM counted_packets WHERE time_ms < ? ORDER BY time_ms LIMIT ?)
                RETURNING cluster_id, counted
                """,
            arguments: [cutoff, limit])
        for cluster in Set(removed.filter { $0["counted"] }.map { $0["cluster_id"] as Int64 }) {
            try db.execute(sql: "UPDATE cluster_sums SET start_ms = 9223372036854775807 WHERE cluster_id = ?", arguments: [cluster])
        }
        return removed.count
    }
}
