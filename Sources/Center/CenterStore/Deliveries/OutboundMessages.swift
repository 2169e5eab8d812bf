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
    /// last. What can't be read is refused: it must not keep all others here.
    public func outboundMessages(limit: Int = 32) async throws(EpitopeError) -> [OutboundMessage] {
        while true {
            let found = try await snapshot { try $0.outboundForwards(limit: limit) + $0.outboundUpdates(limit: limit) }
            let unreadable = found.compactMap { if case .failure(let item) = $0 { item } else { nil } }
            if unreadable.isEmpty {
                let messages = found.compactMap { try? $0.get() }
                return messages.filter(\.isInFront) + messages.filter { !$0.isInFront }
            }
            try await transaction { transaction in
                for item in unreadable { try transaction.refuse(item) }
            }
        }
    }

    /// Records the outcome of sending a message: delivered, refused permanently (its quota is released), or to be
    /// tried again (`pending`).
    public func recordOutcome(of message: OutboundMessage, as state: DeliveryState, detail: String) async throws(EpitopeError) {
        let step: CenterEvent.Step =
            switch state {
            case .delivered: .forwarded
            case .refused: .refused
            case .pending, .waitingQuota, .waitingApproval, .observed, .superseded, .leaving, .removed: .retried
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
            transaction.tally.count(message.quotaItem, state)
            try transaction.record(step, message.subject, detail)
        }
    }
}

/// A message of which a record can't be read.
private struct UnreadableMessage: Error {
    var item: QuotaItem
    var reason: String
}

extension StoreTransaction {
    fileprivate func outboundForwards(limit: Int) throws -> [Result<OutboundMessage, UnreadableMessage>] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT f.id, f.attempts, f.cluster_id, f.conclusion, r.name, \(PacketRows.columns), c.signature FROM forwards f
                JOIN reports r ON r.seq = f.report_seq JOIN clusters c ON c.id = f.cluster_id \(PacketRows.body)
                WHERE f.state = \(DeliveryState.pending.sql) AND \(QuotaItem.hasQuota(.forward, id: "f.id"))
                ORDER BY f.attempts >= \(OutboundMessage.maxAttemptsInFront), f.id LIMIT ?
                """,
            arguments: [limit]
        ).compactMap { row in
            let conclusion = try conclusion(row["conclusion"], of: row["cluster_id"])
            return try Self.message(row, .forward(row["id"])) { () throws(EpitopeError) in
                guard let packet = try PacketRows.bytes(row) else { return nil }
                return .forward(
                    ForwardedPacket(
                        packet: try ExtractedPacket(encoded: packet), reporter: row["name"],
                        signature: try RowCoding.value(Signature.self, row["signature"]), conclusion: conclusion))
            }
        }
    }

    fileprivate func outboundUpdates(limit: Int) throws -> [Result<OutboundMessage, UnreadableMessage>] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT d.id, d.attempts, u.body FROM deliveries d JOIN updates u ON u.id = d.update_id
                WHERE d.target = \(DeliveryTarget.global.sql) AND d.state = \(DeliveryState.pending.sql)
                  AND u.state = \(UpdateState.proven.sql) AND \(QuotaItem.hasQuota(.delivery, id: "d.id"))
                ORDER BY d.attempts >= \(OutboundMessage.maxAttemptsInFront), d.id LIMIT ?
                """,
            arguments: [limit]
        ).compactMap { row in
            try Self.message(row, .delivery(row["id"])) { () throws(EpitopeError) in
                .update(try RowCoding.value(SignatureUpdate.self, row["body"]))
            }
        }
    }

    private static func message(
        _ row: Row, _ item: QuotaItem, _ body: () throws(EpitopeError) -> OutboundMessage.Body?
    ) throws -> Result<OutboundMessage, UnreadableMessage>? {
        do throws(EpitopeError) {
            return try body().map { .success(OutboundMessage(number: item.id, body: $0, attempts: row["attempts"])) }
        } catch {
            return .failure(UnreadableMessage(item: item, reason: error.description))
        }
    }

    fileprivate func refuse(_ unreadable: UnreadableMessage) throws {
        let item = unreadable.item
        try release(item)
        try db.execute(
            sql: """
                UPDATE \(item.kind.table) SET state = \(DeliveryState.refused.sql), reason = ?, changed_ms = ?
                WHERE id = ? AND state = \(DeliveryState.pending.sql)
                """,
            arguments: [unreadable.reason, nowMilliseconds, item.id])
        tally.count(item, .refused)
        try record(.refused, "\(item.kind.rawValue) \(item.id)", unreadable.reason)
    }
}
