// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Signatures

/// A center's state for a person: counts, the latest updates and events, and what is left of the day's quotas.
public struct StatusReport: Hashable, Sendable, Codable {
    /// An update, as a person needs it to decide on it.
    public struct Update: Hashable, Sendable, Codable {
        public var signatureID: String
        public var revision: Int
        /// `site` or `global`.
        public var origin: String
        public var sid: UInt32?
        public var state: UpdateState
        public var reason: String?
        /// The state, and where there is one the reason, by target.
        public var deliveries: [DeliveryTarget.RawValue: String]
        /// What it rests on; `nil`: that is not known.
        public var support: EvidenceSupport?
        public var createdMilliseconds: Int64
        public var expiresMilliseconds: Int64
    }

    /// Reports by state: stored, analysed, unusable.
    public var reports: [String: Int]
    public var clusters: Int
    /// Updates by ``UpdateState``.
    public var updates: [String: Int]
    /// Deliveries by target and ``DeliveryState``: `ids pending`.
    public var deliveries: [String: Int]
    /// Forwarded packets by ``DeliveryState``.
    public var forwards: [String: Int]
    /// By ``QuotaKind``, with the limits that the center runs with; empty when no center with quotas has run on this
    /// store yet.
    public var quotas: [String: QuotaUse]
    public var subscriptionCursor: Int64
    public var publishedSequence: Int64
    /// The latest updates, newest first, at most 100.
    public var latestUpdates: [Update]
    /// Attacks that a global center doesn't publish yet, at most 100.
    public var waiting: [WaitingAttack]
    /// Those who report to a global center, the trusted ones first, at most 100.
    public var peers: [Peer]
    /// What hosts withheld, the latest first, at most 100.
    public var withheld: [WithheldReport]
    /// The latest events, oldest first.
    public var events: [CenterEvent]
}

extension CenterStore {
    /// - Parameter events: how many of the latest events to show.
    public func status(events: Int = 20) async throws(EpitopeError) -> StatusReport {
        try await snapshot { transaction in
            let db = transaction.db
            return StatusReport(
                reports: try Self.counts(
                    db,
                    """
                    SELECT \(ReportState.stored.sql) AS state, count(*) AS n FROM waiting_reports GROUP BY 1
                    UNION ALL SELECT state, count(*) FROM analyses GROUP BY state
                    """),
                clusters: try Int.fetchOne(db, sql: "SELECT count(*) FROM clusters") ?? 0,
                updates: try Self.counts(db, "SELECT state, count(*) AS n FROM updates GROUP BY state"),
                deliveries: try Self.counts(
                    db, "SELECT target || ' ' || state AS state, count(*) AS n FROM deliveries GROUP BY 1"),
                forwards: try Self.counts(db, "SELECT state, count(*) AS n FROM forwards GROUP BY state"),
                quotas: Dictionary(
                    uniqueKeysWithValues: (try transaction.quotaUses() ?? [:]).map { ($0.rawValue, $1) }),
                subscriptionCursor: try transaction.subscriptionPosition().sequence,
                publishedSequence: try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM feed") ?? 0,
                latestUpdates: try Self.latestUpdates(db), waiting: try transaction.waitingAttacks(limit: 100),
                peers: try transaction.peers(limit: 100), withheld: try Self.withheld(db, limit: 100),
                events: try transaction.events(subject: nil, after: 0, limit: events))
        }
    }

    private static func counts(_ db: StoreConnection, _ sql: String) throws -> [String: Int] {
        Dictionary(uniqueKeysWithValues: try Row.fetchAll(db, sql: sql).map { ($0["state"], $0["n"]) })
    }

    private static func latestUpdates(_ db: StoreConnection) throws -> [StatusReport.Update] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT u.*, r.sid FROM updates u LEFT JOIN rules r ON r.id = u.rule_id
                ORDER BY u.id DESC LIMIT 100
                """)
        return try rows.map { row in
            let id: Int64 = row["id"]
            let deliveries = try Row.fetchAll(
                db, sql: "SELECT target, state, reason FROM deliveries WHERE update_id = ?", arguments: [id]
            ).map { delivery -> (String, String) in
                let (target, state, reason): (String, String, String?) = (
                    delivery["target"], delivery["state"], delivery["reason"]
                )
                return (target, reason.map { "\(state): \($0)" } ?? state)
            }
            return StatusReport.Update(
                signatureID: row["signature_id"], revision: row["revision"], origin: row["origin"], sid: row.sid,
                state: UpdateState(rawValue: row["state"]) ?? .superseded, reason: row["reason"],
                deliveries: Dictionary(uniqueKeysWithValues: deliveries),
                support: try? RowCoding.value(SignatureUpdate.self, row["body"]).support, createdMilliseconds: row["created_ms"],
                expiresMilliseconds: row["expires_ms"])
        }
    }
}
