// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import GRDB
import PostgresStore

extension StoreTransaction {
    /// Adds the rows of reports that came at the same time, as ``insert(_:turns:)`` does for each. In PostgreSQL that takes a few
    /// statements for all of them, whatever the way to the server takes.
    func insert(_ reports: [ArrivingReport], turns: ReportTurns) throws -> [Receipt] {
        guard case .postgres(let connection) = db, reports.count > 1 else { return try reports.map { try insert($0, turns: turns) } }
        let batch = ReportBatch(reports, known: try connection.known(among: reports.map(\.id)))
        let bodies = try connection.bodies(batch.reports.compactMap(\.code))
        let added = try connection.add(batch.reports, bodies: bodies, nowMilliseconds: nowMilliseconds)
        let new = batch.reports.filter { added[$0.id] != nil }
        try connection.queue(try new.map { (added[$0.id] ?? 0, try turns.next(of: $0.holders, first: leastTurn)) })
        try connection.record(new.map { (clock.preciseMilliseconds(), $0.id, $0.storedDetail) })
        tally.counts.events[.stored, default: 0] += Int64(new.count)
        return try reports.enumerated().map { index, report in
            guard batch.places.contains(index), added[report.id] != nil else { return try insert(report, turns: turns) }
            return Receipt(id: report.id, storedMilliseconds: nowMilliseconds, wasKnown: false)
        }
    }
}

/// Those of a group of reports that can be added together: each id is new, and comes once.
private struct ReportBatch {
    var reports: [ArrivingReport] = []
    /// Their places in the group.
    var places: Set<Int> = []

    init(_ group: [ArrivingReport], known: Set<String>) {
        var seen = known
        for (place, report) in group.enumerated() where seen.insert(report.id).inserted {
            // The database has another character for the one with the number 0: the row would not be found by its id.
            guard !report.id.utf8.contains(0) else { continue }
            reports.append(report)
            places.insert(place)
        }
    }
}

extension ArrivingReport {
    /// What the event says of it.
    var storedDetail: String { "\(kind) from \(sender.reporter)" }
}

extension PostgresConnection {
    /// Which of the ids the store has.
    fileprivate func known(among ids: [String]) throws -> Set<String> {
        let result = try execute("SELECT id FROM reports WHERE id = ANY (CAST(? AS TEXT[]))", [.texts(ids)])
        return Set(try result.rows().map { $0["id"] })
    }

    /// The numbers of code by its digest; what the store does not have is added.
    fileprivate func bodies(_ codes: [SharedBody]) throws -> [Data: Int64] {
        // In one order, so that two centers that add the same wait for each other, and not both.
        let distinct = Dictionary(codes.map { ($0.hash, $0) }) { first, _ in first }.values
            .sorted { $0.hash.lexicographicallyPrecedes($1.hash) }
        guard !distinct.isEmpty else { return [:] }
        func find() throws -> [Data: Int64] {
            let result = try execute(
                "SELECT hash, id FROM bodies WHERE hash = ANY (CAST(? AS BYTEA[]))", [.byteStrings(distinct.map(\.hash))])
            return Dictionary(try result.rows().map { ($0["hash"], $0["id"]) }) { first, _ in first }
        }
        var found = try find()
        while true {
            let missing = distinct.filter { found[$0.hash] == nil }
            guard !missing.isEmpty else { return found }
            try execute(
                """
                INSERT INTO bodies (hash, bytes) SELECT b.hash, b.bytes FROM unnest(CAST(? AS BYTEA[]), CAST(? AS BYTEA[])) AS b (hash, bytes)
                ON CONFLICT (hash) DO NOTHING
                """, [.byteStrings(missing.map(\.hash)), .byteStrings(missing.map(\.bytes))])
            found = try find()
        }
    }

    /// - Returns: the numbers of the rows that were added, by the reports' ids; without those that another center added meanwhile.
    fileprivate func add(_ reports: [ArrivingReport], bodies: [Data: Int64], nowMilliseconds: Int64) throws -> [String: Int64] {
        guard !reports.isEmpty else { return [:] }
        let result = try execute(
            """
            INSERT INTO reports (id, kind, role, name, host, received_ms, packet, body_id, body_at, signature, source)
            SELECT r.id, r.kind, r.role, r.name, r.host, CAST(? AS BIGINT), r.packet, r.body_id, r.body_at, r.signature, r.source
            FROM unnest(CAST(? AS TEXT[]), CAST(? AS TEXT[]), CAST(? AS TEXT[]), CAST(? AS TEXT[]), CAST(? AS TEXT[]),
                CAST(? AS BYTEA[]), CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS TEXT[]), CAST(? AS TEXT[]))
              WITH ORDINALITY AS r (id, kind, role, name, host, packet, body_id, body_at, signature, source, place)
            ORDER BY r.place
            ON CONFLICT (id) DO NOTHING RETURNING id, seq
            """,
            [
                .integer(nowMilliseconds), .texts(reports.map(\.id)), .texts(reports.map(\.kind)),
                .texts(reports.map(\.sender.role.rawValue)), .texts(reports.map(\.sender.name)), .texts(reports.map(\.host)),
                .byteStrings(reports.map(\.packet)), .integers(reports.map { $0.code.flatMap { bodies[$0.hash] } }),
                .integers(reports.map { $0.code.map { Int64($0.place) } }), .texts(reports.map(\.signature)), .texts(reports.map(\.source)),
            ])
        return Dictionary(try result.rows().map { ($0["id"], $0["seq"]) }) { first, _ in first }
    }

    fileprivate func queue(_ turns: [(sequence: Int64, turn: Int64)]) throws {
        guard !turns.isEmpty else { return }
        try execute(
            """
            INSERT INTO waiting_reports (report_seq, turn)
            SELECT w.seq, w.turn FROM unnest(CAST(? AS BIGINT[]), CAST(? AS BIGINT[])) AS w (seq, turn)
            """, [.integers(turns.map(\.sequence)), .integers(turns.map(\.turn))])
    }

    fileprivate func record(_ events: [(time: Double, subject: String, detail: String)]) throws {
        guard !events.isEmpty else { return }
        try execute(
            """
            INSERT INTO events (time_ms, step, subject, detail)
            SELECT e.time_ms, \(CenterEvent.Step.stored.sql), e.subject, e.detail
            FROM unnest(CAST(? AS DOUBLE PRECISION[]), CAST(? AS TEXT[]), CAST(? AS TEXT[])) WITH ORDINALITY AS e (time_ms, subject, detail, place)
            ORDER BY e.place
            """, [.reals(events.map(\.time)), .texts(events.map(\.subject)), .texts(events.map(\.detail))])
    }
}
