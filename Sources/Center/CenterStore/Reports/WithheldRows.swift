// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
import SecureChannel

/// What a host says that it noticed and did not report: the latest counts of each host.
public struct WithheldReport: Hashable, Sendable, Codable {
    /// The host's name.
    public var host: String
    public var counts: WithheldCounts
    /// When the host said so, by the center's clock.
    public var timeMilliseconds: Int64
}

extension StoreTransaction {
    /// Removes what hosts said long ago.
    func pruneWithheld(before cutoff: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: "DELETE FROM withheld WHERE name IN (SELECT name FROM withheld WHERE time_ms < ? LIMIT ?)", arguments: [cutoff, limit])
        return db.changesCount
    }
}

extension CenterStore {
    /// Notes what a host withheld, over what it said before. There is an event of a host's at most once an hour: the row has the
    /// latest.
    ///
    /// - Parameter issuedMilliseconds: when its certificate was issued, in milliseconds since 1970.
    /// - Throws: `revoked` if that was revoked meanwhile.
    public func note(_ counts: WithheldCounts, of host: Identity, issuedMilliseconds: Int64) async throws(EpitopeError) {
        try await transaction { transaction in
            if let revoked = try transaction.revocation(of: host), revoked >= issuedMilliseconds {
                throw PeerCertificate.revoked(host)
            }
            let db = transaction.db
            let now = transaction.nowMilliseconds
            let told = try Int64.fetchOne(db, sql: "SELECT event_ms FROM withheld WHERE name = ?", arguments: [host.name])
            let isDue = told.map { !(0..<Duration.hours(1).inMilliseconds).contains(now - $0) } ?? true
            let text = String(decoding: try JSONEncoder().encode(counts), as: UTF8.self)
            try db.execute(
                sql: """
                    INSERT INTO withheld (name, counts, time_ms, event_ms) VALUES (?, ?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET counts = excluded.counts, time_ms = excluded.time_ms, event_ms = excluded.event_ms
                    """,
                arguments: [host.name, text, now, isDue ? now : told])
            if isDue { try transaction.record(.withheld, host.name, counts.summary) }
        }
    }

    /// What hosts withheld, the latest first; at most so many.
    public func withheld(limit: Int = 100) async throws(EpitopeError) -> [WithheldReport] {
        try await snapshot { transaction in try Self.withheld(transaction.db, limit: limit) }
    }

    static func withheld(_ db: StoreConnection, limit: Int) throws -> [WithheldReport] {
        try Row.fetchAll(db, sql: "SELECT name, counts, time_ms FROM withheld ORDER BY time_ms DESC LIMIT ?", arguments: [limit])
            .compactMap { row in
                guard let counts = try? JSONDecoder().decode(WithheldCounts.self, from: Data((row["counts"] as String).utf8)) else {
                    return nil
                }
                return WithheldReport(host: row["name"], counts: counts, timeMilliseconds: row["time_ms"])
            }
    }
}
