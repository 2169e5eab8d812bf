// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

extension CenterStore {
    /// Marks updates past their lifetime as expired; their rules leave the IDS with the next rule set.
    ///
    /// - Returns: how many updates.
    @discardableResult
    public func expireUpdates() async throws(EpitopeError) -> Int {
        try await transaction { transaction in
            let expired = try Row.fetchAll(
                transaction.db,
                sql: "SELECT id, signature_id FROM updates WHERE state = \(UpdateState.proven.sql) AND expires_ms <= ?",
                arguments: [transaction.nowMilliseconds])
            for row in expired {
                let (id, signatureID): (Int64, String) = (row["id"], row["signature_id"])
                try transaction.end(id, as: .expired, reason: Self.expiryReason)
                try transaction.record(.expired, signatureID, Self.expiryReason)
            }
            return expired.count
        }
    }

    /// Why an update is expired, for a person.
    public static let expiryReason = "its lifetime is over"
}
