// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import FoundationEssentials
internal import GRDB
public import Signatures

/// Something that is to go to the global center now, and has its quota.
public struct OutboundMessage: Hashable, Sendable {
    /// What goes.
    public enum Body: Hashable, Sendable {
        case forward(ForwardedPacket)
        case update(SignatureUpdate)
    }

    /// The forward's or delivery's number in the store.
    public var number: Int64
    public var body: Body

    /// What its events are recorded under.
    public var subject: String {
        switch body {
        case .forward(let forward): forward.id
        case .update(let update): update.signature.id
        }
    }
}

extension CenterStore {
    /// Takes the day's quota for packets that are to be forwarded; see ``takeQuota(for:limits:after:)``.
    public func takeForwardQuota(limits: QuotaLimits, after first: DeliveryOrder?) async throws(EpitopeError) -> Int64? {
        let clock = clock
        return try await write { db in
            let book = QuotaUsage(db: db, limits: limits, nowMilliseconds: clock.nowMilliseconds)
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT f.id, f.state, r.id AS report FROM forwards f JOIN reports r ON r.seq = f.report_seq
                    WHERE f.state IN ('pending', 'waiting-quota') AND NOT (? AND EXISTS (
                      SELECT 1 FROM deliveries d JOIN updates u ON u.id = d.update_id
                      WHERE u.cluster_id = f.cluster_id AND u.state = 'proven' AND d.target = 'ids'
                        AND d.state = 'pending' AND d.attempts = 0
                      UNION ALL SELECT 1 FROM proofs p WHERE p.cluster_id = f.cluster_id AND p.state = 'pending'))
                    ORDER BY f.id
                    """,
                arguments: [first == .ids])
            var reopens: Int64?
            for row in rows {
                let (id, state, report): (Int64, String, String) = (row["id"], row["state"], row["report"])
                let taken = try book.take(.forwards, for: "forward \(id)")
                let next: DeliveryState = taken ? .pending : .waitingQuota
                if !taken { reopens = min(reopens ?? .max, try book.use(of: .forwards).reopensMilliseconds ?? .max) }
                guard next.rawValue != state else { continue }
                try db.execute(
                    sql: "UPDATE forwards SET state = ?, changed_ms = ? WHERE id = ?",
                    arguments: [next.rawValue, clock.nowMilliseconds, id])
                if !taken {
                    try db.record(.quotaExceeded, report, "\(limits.forwards) a day: forwards", at: clock.preciseMilliseconds())
                }
            }
            return reopens
        }
    }

    /// What is to go to the global center now, oldest first: packets, then updates.
    public func outgoing(limit: Int = 32) async throws(EpitopeError) -> [OutboundMessage] {
        try await read { db in
            let forwards = try Row.fetchAll(
                db,
                sql: """
                    SELECT f.id, r.name, r.packet, c.signature FROM forwards f
                    JOIN reports r ON r.seq = f.report_seq JOIN clusters c ON c.id = f.cluster_id
                    WHERE f.state = 'pending'
                      AND EXISTS (SELECT 1 FROM quota_uses WHERE subject = 'forward ' || f.id) ORDER BY f.id LIMIT ?
                    """,
                arguments: [limit]
            ).map { row in
                let packet: Data = row["packet"]
                return OutboundMessage(
                    number: row["id"],
                    body: .forward(
                        ForwardedPacket(
                            packet: try RowCoding.decode(packet), reporter: row["name"],
                            signature: try RowCoding.value(Signature.self, row["signature"]))))
            }
            let updates = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.id, u.body FROM deliveries d JOIN updates u ON u.id = d.update_id
                    WHERE d.target = 'global' AND d.state = 'pending' AND u.state = 'proven'
                      AND EXISTS (SELECT 1 FROM quota_uses WHERE subject = 'delivery ' || d.id) ORDER BY d.id LIMIT ?
                    """,
                arguments: [limit]
            ).map { row in
                OutboundMessage(number: row["id"], body: .update(try RowCoding.value(SignatureUpdate.self, row["body"])))
            }
            return forwards + updates
        }
    }

    /// Records what became of something that went out: delivered, refused for good (its quota is given back), or to
    /// be tried again (`pending`).
    public func settle(_ outgoing: OutboundMessage, as state: DeliveryState, detail: String) async throws(EpitopeError) {
        let clock = clock
        let (table, subject, quota): (String, String, QuotaKind) =
            switch outgoing.body {
            case .forward: ("forwards", "forward \(outgoing.number)", .forwards)
            case .update: ("deliveries", "delivery \(outgoing.number)", .reportedUpdates)
            }
        let step: CenterEvent.Step =
            switch state {
            case .delivered: .forwarded
            case .refused: .refused
            case .pending, .waitingQuota, .superseded: .retried
            }
        try await write { db in
            if state == .refused {
                try QuotaUsage(db: db, limits: QuotaLimits(), nowMilliseconds: clock.nowMilliseconds)
                    .giveBack(quota, for: subject)
            }
            // What was called off meanwhile stays so.
            try db.execute(
                sql: """
                    UPDATE \(table) SET state = ?, reason = ?, changed_ms = ?, attempts = attempts + 1
                    WHERE id = ? AND state = 'pending'
                    """,
                arguments: [state.rawValue, state == .delivered ? nil : detail, clock.nowMilliseconds, outgoing.number])
            try db.record(step, outgoing.subject, detail, at: clock.preciseMilliseconds())
        }
    }
}
