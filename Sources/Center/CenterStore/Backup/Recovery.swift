// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import GRDB

/// What becomes of a store's own decisions when an older state of it is put back.
public struct Recovery: Hashable, Sendable {
    /// Of those listed, the ones that the store did not have.
    public var revoked: [Revocation] = []
    /// How many tokens that were not used are good no more.
    public var droppedTokens = 0

    public init() {}
}

extension CenterStore {
    /// Makes an older state of a store, which was just put back, safe to serve from.
    ///
    /// Who was revoked since is revoked again. Tokens that were not used then may be used up by now: none is good a second time.
    ///
    /// - Parameters:
    ///   - listed: all that were ever revoked, as far as that is known.
    ///   - madeMilliseconds: of when the state is.
    ///   - person: who puts it back, for the audit trail.
    public func recover(
        revocations listed: [Revocation], ofBackupMade madeMilliseconds: Int64, by person: String
    ) async throws(EpitopeError) -> Recovery {
        let recovery = try await transaction { transaction in
            var recovery = Recovery()
            recovery.revoked = RevocationList.latest(RevocationList.missing(listed, in: try transaction.allRevocations()))
            for revocation in recovery.revoked {
                _ = try transaction.revoke(
                    revocation.identity, timeMilliseconds: revocation.timeMilliseconds,
                    issuedUntilMilliseconds: revocation.issuedUntilMilliseconds)
                try transaction.record(
                    .revoked, revocation.name, "certificates of the \(revocation.role.rawValue), by the list beside the store that was lost"
                )
            }
            recovery.droppedTokens = try transaction.revokeOpenTokens()
            try transaction.record(
                .recovered, "store",
                "put back from a backup of \(Date(timeIntervalSince1970: Double(madeMilliseconds) / 1000).formatted(.iso8601)) by \(person); revoked since, by the list: \(recovery.revoked.count); tokens that are good no more: \(recovery.droppedTokens)"
            )
            return recovery
        }
        try? await listRevocations()
        return recovery
    }

    /// Notes that a backup was made.
    public func recordBackup(at path: String, bytes: Int64, by person: String) async throws(EpitopeError) {
        try await transaction { try $0.record(.backedUp, "store", "\(bytes) bytes to \(path), by \(person)") }
    }
}
