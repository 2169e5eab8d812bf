// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

extension CenterStore {
    /// Marks updates past their lifetime as expired; their rules leave the IDS with the next rule set. It goes in small steps, and
    /// where nothing has expired nothing is written; nor while the clock is in doubt.
    ///
    /// - Returns: how many updates.
    @discardableResult
    public func expireUpdates() async throws(EpitopeError) -> Int {
        guard !clock.isDoubtful(), try await snapshot({ try !$0.expired(limit: 1).isEmpty }) else { return 0 }
        return try await inSteps { transaction, limit in
            let expired = try transaction.expired(limit: limit)
            for (id, signatureID) in expired {
                try transaction.end(id, as: .expired, reason: Self.expiryReason)
                try transaction.record(.expired, signatureID, Self.expiryReason)
            }
            return expired.count
        }
    }

    /// Why an update is expired, for a person.
    public static let expiryReason = "its lifetime is over"
}

extension StoreTransaction {
    /// Updates in force whose lifetime is over, those first that ended first.
    fileprivate func expired(limit: Int) throws -> [(id: Int64, signatureID: String)] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT id, signature_id FROM updates WHERE state = \(UpdateState.proven.sql) AND expires_ms <= ?
                ORDER BY expires_ms LIMIT ?
                """,
            arguments: [nowMilliseconds, limit]
        ).map { ($0["id"], $0["signature_id"]) }
    }
}
