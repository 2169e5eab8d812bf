// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
import Novelty

/// What was not reported: counted, and told to the centers.
extension HostStore {
    /// The outcomes of reports that were never made, or never became a packet that is sent.
    static let (overQuota, givenUp, suppressed, lost) = ("over-quota", "given-up", "suppressed", "lost")

    /// Counts reports that a limiter suppressed, or that were lost on their way.
    public func countUnreported(suppressed: Int, lost: Int, nowMilliseconds: Int64) async throws(EpitopeError) {
        guard suppressed > 0 || lost > 0 else { return }
        try await write { [settings] db in
            let step = AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds)
            if suppressed > 0 { try step.count(Self.suppressed, suppressed) }
            if lost > 0 { try step.count(Self.lost, lost) }
        }
    }

    /// How many packets wait for the quota.
    public func held() async throws(EpitopeError) -> Int {
        try await read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM held") ?? 0 }
    }

    /// When the quota allows the next of the packets that wait for it; `nil` when none waits, or the quota is 0. The quota is that
    /// of the program that looked at them last, which says so in the store: whoever asks need not know it.
    public func nextRelease(nowMilliseconds: Int64) async throws(EpitopeError) -> Int64? {
        try await read { [settings] db in
            try AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds).nextRelease()
        }
    }

    /// What was withheld on the day of a time (UTC).
    public func withheld(nowMilliseconds: Int64) async throws(EpitopeError) -> WithheldCounts {
        try await read { db in try Self.withheld(db, nowMilliseconds) }
    }

    /// What to tell a center now: what was withheld today, if that has changed since it was told last, at least an hour ago or
    /// on another day.
    public func withheldToTell(_ destination: Destination, nowMilliseconds: Int64) async throws(EpitopeError) -> WithheldCounts? {
        try await read { db in
            let counts = try Self.withheld(db, nowMilliseconds)
            guard !counts.isEmpty else { return nil }
            guard
                let row = try Row.fetchOne(
                    db, sql: "SELECT time_ms, counts FROM told WHERE destination = ?", arguments: [destination.rawValue]),
                let told = try? JSONDecoder().decode(WithheldCounts.self, from: Data((row["counts"] as String).utf8))
            else { return counts }
            let age = nowMilliseconds - (row["time_ms"] as Int64)
            // A clock that was set back must not silence the host.
            let isRecent = (0..<Duration.hours(1).inMilliseconds).contains(age)
            return told == counts || (isRecent && told.day == counts.day) ? nil : counts
        }
    }

    /// Notes that a center was told.
    public func noteTold(_ counts: WithheldCounts, _ destination: Destination, nowMilliseconds: Int64) async throws(EpitopeError) {
        try await write { db in
            let text = String(decoding: try JSONEncoder().encode(counts), as: UTF8.self)
            try db.execute(
                sql: "INSERT OR REPLACE INTO told (destination, time_ms, counts) VALUES (?, ?, ?)",
                arguments: [destination.rawValue, nowMilliseconds, text])
        }
    }

    private static func withheld(_ db: Database, _ nowMilliseconds: Int64) throws -> WithheldCounts {
        let day = nowMilliseconds / DailyQuota.windowMilliseconds
        let rows = try Row.fetchAll(db, sql: "SELECT name, count FROM outcome WHERE day = ?", arguments: [day])
        let counts: [String: Int] = Dictionary(uniqueKeysWithValues: rows.map { ($0["name"], $0["count"]) })
        return WithheldCounts(
            day: day, suppressed: counts[suppressed] ?? 0, overQuota: counts[overQuota] ?? 0, givenUp: counts[givenUp] ?? 0,
            lost: counts[lost] ?? 0, waiting: try Int.fetchOne(db, sql: "SELECT count(*) FROM held") ?? 0)
    }
}
