// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import FoundationEssentials
import GRDB
public import SecureChannel

/// Enrolment tokens and revocations, as rows of the center's store.
extension CenterStore: EnrolmentLedger {
    public func addToken(secretHash: [UInt8], grant: EnrolmentGrant) async throws {
        try await transaction { transaction in
            let db = transaction.db
            try db.execute(
                sql: "INSERT INTO tokens (secret_hash, role, name, expires_ms) VALUES (?, ?, ?, ?)",
                arguments: [Data(secretHash), grant.identity.role.rawValue, grant.identity.name, grant.expiresMilliseconds])
            try transaction.record(.tokenMade, grant.identity.name, "for a \(grant.identity.role.rawValue)")
        }
    }

    public func addToken(secretHash: [UInt8], group: GroupGrant) async throws {
        try await transaction { try $0.addToken(secretHash: secretHash, group: group) }
    }

    /// A made-up token costs a look, and not the one writer that packets need.
    public func grant(
        ofToken secretHash: [UInt8], to applicant: EnrolmentApplicant, nowMilliseconds: Int64
    ) async throws -> EnrolmentGrant {
        try await snapshot { try $0.grant(ofToken: secretHash, to: applicant, nowMilliseconds: nowMilliseconds).grant }
    }

    public func redeemToken(
        secretHash: [UInt8], by applicant: EnrolmentApplicant, issuedMilliseconds: Int64, nowMilliseconds: Int64
    ) async throws -> EnrolmentGrant {
        try await transaction { transaction in
            let (grant, group) = try transaction.grant(ofToken: secretHash, to: applicant, nowMilliseconds: nowMilliseconds)
            var token = "a token"
            if let group {
                token = try transaction.countUse(
                    of: group, by: grant.identity.name, at: applicant.address, nowMilliseconds: nowMilliseconds)
            } else {
                try transaction.db.execute(
                    sql: "UPDATE tokens SET used_ms = ? WHERE secret_hash = ?", arguments: [nowMilliseconds, Data(secretHash)])
            }
            try transaction.noteIssue(to: grant.identity, issuedMilliseconds: issuedMilliseconds)
            try transaction.record(
                .enrolled, grant.identity.name, "as a \(grant.identity.role.rawValue), by \(token)", by: .peer(grant.identity))
            return grant
        }
    }

    public func noteRenewal(of identity: Identity, from oldMilliseconds: Int64, to newMilliseconds: Int64) async throws -> Bool {
        try await transaction { transaction in
            if let revoked = try transaction.revocation(of: identity), revoked >= oldMilliseconds { return false }
            try transaction.noteIssue(to: identity, issuedMilliseconds: newMilliseconds)
            try transaction.record(.renewed, identity.name, CenterEvent.renewalDetail + identity.role.rawValue, by: .peer(identity))
            return true
        }
    }

    /// A certificate that the store knows costs a look. One that it does not know was issued after the backup that the store was put back
    /// from, or before it was lost: its holder is listed from now on.
    public func noteCertificate(of identity: Identity, issuedMilliseconds: Int64) async throws {
        let isKnown = try await snapshot { try ($0.latestIssue(to: identity) ?? .min) >= issuedMilliseconds }
        guard !isKnown else { return }
        try await transaction { transaction in
            let before = try transaction.latestIssue(to: identity)
            try transaction.noteIssue(to: identity, issuedMilliseconds: issuedMilliseconds)
            guard before == nil else { return }
            try transaction.record(
                .enrolled, identity.name, "as a \(identity.role.rawValue), at another time: this store has no record of its certificate",
                by: .peer(identity))
        }
    }

    /// Revokes the peer's certificates, and the tokens that were made for it and not redeemed: nobody gets in again by one that
    /// lies about. Such a token stays until its time is over, so that who uses it is told what became of it.
    /// A certificate that was issued while the clock was ahead is later than now, and revoked with the others; what the
    /// peer reported then is of now at the latest, so that it counts no more.
    public func revoke(_ identity: Identity, nowMilliseconds: @autoclosure @escaping @Sendable () -> Int64) async throws {
        try await transaction { transaction in
            let now = nowMilliseconds()
            let tokens = try transaction.revoke(identity, timeMilliseconds: now, issuedUntilMilliseconds: now)
            try transaction.record(
                .revoked, identity.name,
                "certificates of the \(identity.role.rawValue)" + (tokens > 0 ? ", and tokens not redeemed: \(tokens)" : ""))
        }
        // Who asked for it is told by another try (``listRevocations()``).
        try? await listRevocations()
    }

    /// Whether a token was ever redeemed for that identity here: a name that was mistyped has none.
    public func hasEnrolled(_ identity: Identity) async throws(EpitopeError) -> Bool {
        try await snapshot { transaction in
            try Bool.fetchOne(
                transaction.db, sql: "SELECT EXISTS (SELECT 1 FROM certificates WHERE role = ? AND name = ?)",
                arguments: [identity.role.rawValue, identity.name]) ?? false
        }
    }

    /// Whether it has enrolled and was not revoked since: another token makes a second one of that name.
    public func isEnrolled(_ identity: Identity) async throws(EpitopeError) -> Bool {
        try await snapshot { transaction in
            try Bool.fetchOne(
                transaction.db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM certificates c WHERE c.role = ?1 AND c.name = ?2 AND NOT EXISTS (
                      SELECT 1 FROM revocations r WHERE r.role = c.role AND r.name = c.name AND r.issued_until_ms >= c.latest_ms))
                    """,
                arguments: [identity.role.rawValue, identity.name]) ?? false
        }
    }

    public func revokedUntil(_ identity: Identity) async throws -> Int64? { try await knownRevocation(of: identity).time }

    func knownRevocation(of identity: Identity) async throws(EpitopeError) -> (time: Int64?, asOf: RevocationState) {
        try await knownRevocations.time(of: identity) { () async throws(EpitopeError) in try await snapshot { try $0.revocations() } }
    }
}

extension StoreTransaction {
    /// Revokes what was issued to the identity up to then, and its tokens.
    ///
    /// - Returns: how many tokens there were.
    func revoke(_ identity: Identity, timeMilliseconds: Int64, issuedUntilMilliseconds: Int64) throws -> Int {
        try db.execute(
            sql: """
                INSERT INTO revocations (role, name, time_ms, issued_until_ms) VALUES (?1, ?2, ?3,
                  \(db.greater("CAST(?4 AS BIGINT)", "coalesce((SELECT latest_ms FROM certificates WHERE role = ?1 AND name = ?2), 0)")))
                ON CONFLICT (role, name) DO UPDATE SET time_ms = \(db.greater("excluded.time_ms", "revocations.time_ms")),
                  issued_until_ms = \(db.greater("excluded.issued_until_ms", "revocations.issued_until_ms"))
                """,
            arguments: [identity.role.rawValue, identity.name, timeMilliseconds, issuedUntilMilliseconds])
        try db.execute(
            sql: "UPDATE evidence SET time_ms = ?1 WHERE time_ms > ?1 AND reporter = ?2", arguments: [timeMilliseconds, identity.reporter])
        try db.execute(
            sql: "UPDATE tokens SET revoked_ms = ? WHERE role = ? AND name = ? AND used_ms IS NULL AND revoked_ms IS NULL",
            arguments: [timeMilliseconds, identity.role.rawValue, identity.name])
        let tokens = db.changesCount
        if try setTrust(in: identity, to: false) {
            try record(.distrusted, identity.name, "the \(identity.role.rawValue), for it was revoked")
        }
        return tokens
    }

    /// Keeps the latest time of issue of the identity's certificates, for a revocation to cover them all.
    ///
    /// Who has a certificate that no revocation covers is no longer revoked: what it reports from now on counts, also where the clock was
    /// ahead when it was revoked.
    fileprivate func noteIssue(to identity: Identity, issuedMilliseconds: Int64) throws {
        try db.execute(
            sql: """
                UPDATE revocations SET time_ms = ?1 WHERE role = ?2 AND name = ?3 AND time_ms > ?1 AND issued_until_ms < ?4
                """,
            arguments: [nowMilliseconds, identity.role.rawValue, identity.name, issuedMilliseconds])
        try db.execute(
            sql: """
                INSERT INTO certificates (role, name, latest_ms) VALUES (?, ?, ?)
                ON CONFLICT (role, name) DO UPDATE SET latest_ms = \(db.greater("excluded.latest_ms", "certificates.latest_ms"))
                """,
            arguments: [identity.role.rawValue, identity.name, issuedMilliseconds])
    }

    /// The latest time of issue of the identity's certificates, in milliseconds since 1970; `nil`: the store knows of none.
    fileprivate func latestIssue(to identity: Identity) throws -> Int64? {
        try Int64.fetchOne(
            db, sql: "SELECT latest_ms FROM certificates WHERE role = ? AND name = ?", arguments: [identity.role.rawValue, identity.name])
    }

    /// What a token is good for, and its row where it is for several hosts.
    fileprivate func grant(
        ofToken secretHash: [UInt8], to applicant: EnrolmentApplicant, nowMilliseconds: Int64
    ) throws -> (grant: EnrolmentGrant, group: GroupToken?) {
        if let group = try groupToken(secretHash) {
            return (try grant(of: group, to: applicant, nowMilliseconds: nowMilliseconds), group)
        }
        let row = try Row.fetchOne(
            db, sql: "SELECT role, name, expires_ms, used_ms, revoked_ms FROM tokens WHERE secret_hash = ?",
            arguments: [Data(secretHash)])
        guard let row, let granted = Identity.Role(rawValue: row["role"]) else {
            throw EpitopeError(
                .tokenUnknown, "the enrolment token was not issued by this center",
                remedy: "create a token at the center that you enrol at, and copy all of it")
        }
        let grant = EnrolmentGrant(identity: Identity(role: granted, name: row["name"]), expiresMilliseconds: row["expires_ms"])
        if let used = row["used_ms"] as Int64? {
            throw EpitopeError(
                .tokenUsed, "the enrolment token for \(grant.identity.name) was used at \(ChannelClock.text(used))",
                remedy: "create a new token; if none of your people used this one, revoke \(grant.identity.name) first")
        }
        if let revoked = row["revoked_ms"] as Int64? {
            throw EpitopeError(
                .tokenRevoked,
                "the enrolment token for \(grant.identity.name) was revoked at \(ChannelClock.text(revoked)), with the certificates of that name or by a restore of the center",
                remedy: "ask the center's operator for the reason, then use a token that was made since")
        }
        guard nowMilliseconds < grant.expiresMilliseconds else {
            throw EpitopeError(
                .tokenExpired, "the enrolment token for \(grant.identity.name) has expired",
                remedy: "create a new token, and check the center's clock")
        }
        try grant.check(is: applicant.role)
        return (grant, nil)
    }
}
