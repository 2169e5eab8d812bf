// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Signatures

extension CenterStore {
    /// The updates that this (global) center published after a sequence number, in order, without those that were
    /// withdrawn or expired.
    public func published(after sequence: Int64, limit: Int = 256) async throws(EpitopeError) -> [FeedEntry] {
        try await snapshot { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT f.sequence, f.body, f.revises FROM feed f JOIN updates u ON u.sequence = f.sequence
                    WHERE f.sequence > ? AND u.state IN \([UpdateState.proven, .superseded].sql) AND u.expires_ms > ?
                    ORDER BY f.sequence LIMIT ?
                    """,
                arguments: [sequence, transaction.nowMilliseconds, limit]
            ).map { row in
                FeedEntry(
                    sequence: row["sequence"], update: try RowCoding.value(SignatureUpdate.self, row["body"]),
                    revises: (row["revises"] as String).split(separator: ",").compactMap { Int64($0) })
            }
        }
    }

    /// The sequence number of the last update of the global center that this store has.
    public func subscriptionCursor() async throws(EpitopeError) -> Int64 {
        try await snapshot { try $0.subscriptionCursor() }
    }
}

extension StoreTransaction {
    /// The sequence number of the last update of the global center that this store has.
    public func subscriptionCursor() throws -> Int64 {
        Int64(try mark(.subscriptionCursor) ?? "0") ?? 0
    }

    /// Moves the cursor past an update of the global center.
    public func setSubscriptionCursor(_ sequence: Int64) throws {
        try setMark(.subscriptionCursor, "\(sequence)")
    }
}
