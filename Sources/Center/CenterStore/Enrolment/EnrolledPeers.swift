// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

/// A host or site that a center knows: it has enrolled, or a token was made for it.
public struct EnrolledPeer: Hashable, Sendable, Codable {
    /// How it stands with the center.
    public enum State: String, Hashable, Sendable, Codable {
        case enrolled
        /// It has a token, and has not used it yet.
        case invited
        /// It had a token, and did not use it in time.
        case lapsed
        case revoked
    }

    public var role: Identity.Role
    public var name: String
    public var state: State
    /// Each in milliseconds since 1970, the latest; `nil`: never.
    public var enrolledMilliseconds: Int64?
    public var renewedMilliseconds: Int64?
    public var revokedMilliseconds: Int64?
    /// Until when a token that was not used can be; `nil`: there is none.
    public var tokenUntilMilliseconds: Int64?
}

extension CenterStore {
    /// Whom the center knows, by role and name. A store that was lost has forgotten them, though their certificates are in force.
    public func enrolledPeers() async throws(EpitopeError) -> [EnrolledPeer] {
        try await snapshot { try $0.enrolledPeers() }
    }
}

extension StoreTransaction {
    fileprivate func enrolledPeers() throws -> [EnrolledPeer] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT p.*, (SELECT max(e.time_ms) FROM events e WHERE e.subject = p.name AND e.step = \(CenterEvent.Step.renewed.sql)
                  AND e.detail = ?1 || p.role) AS renewed
                FROM (
                  SELECT role, name, max(used) AS used, max(token) AS token, max(revoked) AS revoked FROM (
                    SELECT role, name, used_ms AS used, CASE WHEN used_ms IS NULL THEN expires_ms END AS token, NULL AS revoked FROM tokens
                    UNION ALL SELECT role, name, NULL, NULL, time_ms FROM revocations
                  ) GROUP BY role, name
                ) p ORDER BY p.role, p.name
                """,
            arguments: [CenterEvent.renewalDetail]
        ).compactMap { EnrolledPeer($0, nowMilliseconds: nowMilliseconds) }
    }
}

extension EnrolledPeer {
    /// - Returns: `nil` for a role that only a later version knows.
    fileprivate init?(_ row: Row, nowMilliseconds: Int64) {
        guard let role = Identity.Role(rawValue: row["role"]) else { return nil }
        let (enrolled, revoked, token): (Int64?, Int64?, Int64?) = (row["used"], row["revoked"], row["token"])
        let isOpen = token.map { $0 > nowMilliseconds } ?? false
        let state: State =
            if let enrolled, enrolled > revoked ?? .min {
                .enrolled
            } else if isOpen {
                .invited
            } else {
                revoked == nil ? .lapsed : .revoked
            }
        self.init(
            role: role, name: row["name"], state: state, enrolledMilliseconds: enrolled,
            renewedMilliseconds: (row["renewed"] as Double?).flatMap { Int64(exactly: $0.rounded(.down)) }, revokedMilliseconds: revoked,
            tokenUntilMilliseconds: isOpen ? token : nil)
    }
}

extension CenterEvent {
    /// What the event of a renewal says, before the role.
    static let renewalDetail = "certificate of the "
}
