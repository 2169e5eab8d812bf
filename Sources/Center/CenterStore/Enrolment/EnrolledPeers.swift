// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

/// A host or site that a center knows: it has enrolled, a token was made for it, or it was seen.
public struct EnrolledPeer: Hashable, Sendable, Codable {
    /// How it stands with the center.
    public enum State: String, Hashable, Sendable, Codable {
        case enrolled
        /// It has a token, and has not used it yet.
        case invited
        /// It had a token, and did not use it in time.
        case lapsed
        case revoked
        /// It has a certificate that this store did not issue: an earlier one did, which was lost.
        case seen
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
    /// When it last asked or sent something, from which IP address, and what it said of itself; `nil`: never since the center keeps that.
    public var seenMilliseconds: Int64?
    public var address: String?
    /// Its version of Epitope, and how calls are judged there: a level of the agent, `containers` or `run`.
    public var version: String?
    public var protection: String?
    /// Which applications of behaviour blocking are on there, such as `exec+send`, or `none`; `nil`: it didn't say.
    public var applications: String?
    /// Until when the certificate is valid that it was seen with.
    public var certificateUntilMilliseconds: Int64?
    /// The fingerprint of the authority that this certificate is from, in hexadecimal digits; `nil`: it was not seen, or by a version that
    /// did not keep that.
    public var authority: String?
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
                SELECT p.*, s.seen_ms, s.address, s.version, s.protection, s.applications, s.until_ms, s.authority, EXISTS (SELECT 1 FROM certificates c LEFT JOIN revocations r ON r.role = c.role AND r.name = c.name
                    WHERE c.role = p.role AND c.name = p.name AND c.latest_ms > coalesce(r.issued_until_ms, 0)) AS is_in,
                  (SELECT max(e.time_ms) FROM events e WHERE e.subject = p.name AND e.step = \(CenterEvent.Step.renewed.sql)
                  AND e.detail = ?1 || p.role) AS renewed
                FROM (
                  SELECT role, name, max(used) AS used, max(token) AS token, max(revoked) AS revoked FROM (
                    SELECT role, name, used_ms AS used, CASE WHEN used_ms IS NULL AND revoked_ms IS NULL THEN expires_ms END AS token, NULL AS revoked FROM tokens
                    UNION ALL SELECT role, name, NULL, NULL, time_ms FROM revocations
                    UNION ALL SELECT '\(Identity.Role.host.rawValue)', name, time_ms, NULL, NULL FROM group_token_uses
                    UNION ALL SELECT role, name, NULL, NULL, NULL FROM sightings
                    UNION ALL SELECT role, name, NULL, NULL, NULL FROM certificates
                  ) known GROUP BY role, name
                ) p LEFT JOIN sightings s ON s.role = p.role AND s.name = p.name ORDER BY p.role, p.name
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
            if row["is_in"] as Bool {
                .enrolled
            } else if isOpen {
                .invited
            } else if revoked != nil {
                .revoked
            } else {
                token == nil && row["seen_ms"] as Int64? != nil ? .seen : .lapsed
            }
        self.init(
            role: role, name: row["name"], state: state, enrolledMilliseconds: enrolled,
            renewedMilliseconds: (row["renewed"] as Double?).flatMap { Int64(exactly: $0.rounded(.down)) }, revokedMilliseconds: revoked,
            tokenUntilMilliseconds: isOpen ? token : nil, seenMilliseconds: row["seen_ms"], address: row["address"],
            version: row["version"], protection: row["protection"], applications: row["applications"],
            certificateUntilMilliseconds: row["until_ms"],
            authority: row["authority"])
    }
}

extension CenterEvent {
    /// What the event of a renewal says, before the role.
    static let renewalDetail = "certificate of the "
}
