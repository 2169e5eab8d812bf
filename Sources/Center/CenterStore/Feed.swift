// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB
public import Signatures

extension CenterStore {
    /// What this (global) center published after a sequence number, in order. Withdrawn and expired updates are left
    /// out.
    public func published(after sequence: Int64, limit: Int = 256) async throws(EpitopeError) -> [FeedEntry] {
        let now = clock.nowMilliseconds
        return try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT f.sequence, f.body FROM feed f JOIN updates u ON u.sequence = f.sequence
                    WHERE f.sequence > ? AND u.state IN ('proven', 'superseded') AND u.expires_ms > ?
                    ORDER BY f.sequence LIMIT ?
                    """,
                arguments: [sequence, now, limit]
            ).map { row in
                FeedEntry(
                    sequence: row["sequence"], update: try RowCoding.value(SignatureUpdate.self, row["body"]))
            }
        }
    }
}
