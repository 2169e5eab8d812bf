// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import PacketCoding
public import Signatures

/// A message that is to go to the global center now, and has its quota.
public struct OutboundMessage: Hashable, Sendable {
    /// The message itself.
    public enum Body: Hashable, Sendable {
        case forward(ForwardedPacket)
        case update(SignatureUpdate)
    }

    /// The forward's or delivery's number in the store.
    public var number: Int64
    public var body: Body
    /// How often it was sent in vain, or held up.
    var attempts: Int

    /// A message that failed so often goes behind those that did not: it may be one that the other side can never answer.
    static let maxAttemptsInFront = 5
    fileprivate var isInFront: Bool { attempts < Self.maxAttemptsInFront }

    /// The subject of its events.
    public var subject: String {
        switch body {
        case .forward(let forward): forward.id
        case .update(let update): update.signature.id
        }
    }

    fileprivate var quotaItem: QuotaItem {
        switch body {
        case .forward: .forward(number)
        case .update: .delivery(number)
        }
    }
}

extension CenterStore {
    /// The messages that are to go to the global center now, oldest first: packets, then updates; those that failed again and again
    /// last.
    public func outboundMessages(limit: Int = 32) async throws(EpitopeError) -> [OutboundMessage] {
        try await snapshot { transaction in
            let messages = try transaction.outboundForwards(limit: limit) + transaction.outboundUpdates(limit: limit)
            return messages.filter(\.isInFront) + messages.filter { !$0.isInFront }
        }
    }

    /// Records the outcome of sending a message: delivered, refused permanently (its quota is released), or to be
    /// tried again (`pending`).
    public func recordOutcome(of message: OutboundMessage, as state: DeliveryState, detail: String) async throws(EpitopeError) {
        let step: CenterEvent.Step =
            switch state {
            case .delivered: .forwarded
            case .refused: .refused
            case .pending, .waitingQuota, .superseded, .leaving, .removed: .retried
            }
        try await transaction { transaction in
            if state == .refused { try transaction.release(message.quotaItem) }
            // A delivery that was cancelled meanwhile stays so.
            try transaction.db.execute(
                sql: """
                    UPDATE \(message.quotaItem.kind.table) SET state = ?, reason = ?, changed_ms = ?, attempts = attempts + 1
                    WHERE id = ? AND state = \(DeliveryState.pending.sql)
                    """,
                arguments: [
                    state.rawValue, state == .delivered ? nil : detail, transaction.nowMilliseconds, message.number,
                ])
            try transaction.record(step, message.subject, detail)
        }
    }
}

extension StoreTransaction {
    fileprivate func outboundForwards(limit: Int) throws -> [OutboundMessage] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT f.id, f.attempts, r.name, \(PacketRows.columns), c.signature FROM forwards f
                JOIN reports r ON r.seq = f.report_seq JOIN clusters c ON c.id = f.cluster_id \(PacketRows.body)
                WHERE f.state = \(DeliveryState.pending.sql) AND \(QuotaItem.hasQuota(.forward, id: "f.id"))
                ORDER BY f.attempts >= \(OutboundMessage.maxAttemptsInFront), f.id LIMIT ?
                """,
            arguments: [limit]
        ).compactMap { row in
            guard let packet = try PacketRows.bytes(row) else { return nil }
            return OutboundMessage(
                number: row["id"],
                body: .forward(
                    ForwardedPacket(
                        packet: try ExtractedPacket(encoded: packet), reporter: row["name"],
                        signature: try RowCoding.value(Signature.self, row["signature"]))), attempts: row["attempts"])
        }
    }

    fileprivate func outboundUpdates(limit: Int) throws -> [OutboundMessage] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT d.id, d.attempts, u.body FROM deliveries d JOIN updates u ON u.id = d.update_id
                WHERE d.target = \(DeliveryTarget.global.sql) AND d.state = \(DeliveryState.pending.sql)
                  AND u.state = \(UpdateState.proven.sql) AND \(QuotaItem.hasQuota(.delivery, id: "d.id"))
                ORDER BY d.attempts >= \(OutboundMessage.maxAttemptsInFront), d.id LIMIT ?
                """,
            arguments: [limit]
        ).map { row in
            OutboundMessage(
                number: row["id"], body: .update(try RowCoding.value(SignatureUpdate.self, row["body"])), attempts: row["attempts"])
        }
    }
}
