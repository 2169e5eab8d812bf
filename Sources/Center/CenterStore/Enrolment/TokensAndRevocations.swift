// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
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

    /// A made-up token costs a look, and not the one writer that packets need.
    public func grant(ofToken secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) async throws -> EnrolmentGrant {
        try await snapshot { try $0.grant(ofToken: secretHash, as: role, nowMilliseconds: nowMilliseconds) }
    }

    public func redeemToken(secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) async throws -> EnrolmentGrant {
        try await transaction { transaction in
            let grant = try transaction.grant(ofToken: secretHash, as: role, nowMilliseconds: nowMilliseconds)
            try transaction.db.execute(
                sql: "UPDATE tokens SET used_ms = ? WHERE secret_hash = ?", arguments: [nowMilliseconds, Data(secretHash)])
            try transaction.record(.enrolled, grant.identity.name, "as a \(grant.identity.role.rawValue), by a token")
            return grant
        }
    }

    public func noteRenewal(of identity: Identity, issuedMilliseconds: Int64) async throws -> Bool {
        try await transaction { transaction in
            let revoked = try Int64.fetchOne(
                transaction.db, sql: "SELECT time_ms FROM revocations WHERE role = ? AND name = ?",
                arguments: [identity.role.rawValue, identity.name])
            if let revoked, revoked >= issuedMilliseconds { return false }
            try transaction.record(.renewed, identity.name, CenterEvent.renewalDetail + identity.role.rawValue)
            return true
        }
    }

    /// Revokes the peer's certificates, and the tokens that were made for it and not redeemed: nobody gets in again by one that
    /// lies about.
    public func revoke(_ identity: Identity, nowMilliseconds: @autoclosure @escaping @Sendable () -> Int64) async throws {
        try await transaction { transaction in
            let db = transaction.db
            let nowMilliseconds = nowMilliseconds()
            try db.execute(
                sql: """
                    INSERT INTO revocations (role, name, time_ms) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET time_ms = max(time_ms, excluded.time_ms)
                    """,
                arguments: [identity.role.rawValue, identity.name, nowMilliseconds])
            try db.execute(
                sql: "DELETE FROM tokens WHERE role = ? AND name = ? AND used_ms IS NULL",
                arguments: [identity.role.rawValue, identity.name])
            let tokens = db.changesCount
            if try transaction.setTrust(in: identity, to: false) {
                try transaction.record(.distrusted, identity.name, "the \(identity.role.rawValue), for it was revoked")
            }
            try transaction.record(
                .revoked, identity.name,
                "certificates of the \(identity.role.rawValue)" + (tokens > 0 ? ", and tokens not redeemed: \(tokens)" : ""))
        }
        knownRevocations.ring()
    }

    /// Whether a token was ever redeemed for that identity here: a name that was mistyped has none.
    public func hasEnrolled(_ identity: Identity) async throws(EpitopeError) -> Bool {
        try await snapshot { transaction in
            try Bool.fetchOne(
                transaction.db, sql: "SELECT EXISTS (SELECT 1 FROM tokens WHERE role = ? AND name = ? AND used_ms IS NOT NULL)",
                arguments: [identity.role.rawValue, identity.name]) ?? false
        }
    }

    /// Whether it has enrolled and was not revoked since: another token makes a second one of that name.
    public func isEnrolled(_ identity: Identity) async throws(EpitopeError) -> Bool {
        try await snapshot { transaction in
            try Bool.fetchOne(
                transaction.db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM tokens t WHERE t.role = ?1 AND t.name = ?2 AND t.used_ms IS NOT NULL AND NOT EXISTS (
                      SELECT 1 FROM revocations r WHERE r.role = t.role AND r.name = t.name AND r.time_ms >= t.used_ms))
                    """,
                arguments: [identity.role.rawValue, identity.name]) ?? false
        }
    }

    /// A certificate of the very millisecond of the revocation counts as revoked.
    public func isRevoked(_ identity: Identity, issuedMilliseconds: Int64) async throws -> Bool {
        let revoked = try await knownRevocations.time(of: identity) { () async throws(EpitopeError) in
            try await snapshot { try $0.revocations() }
        }
        return revoked.map { $0 >= issuedMilliseconds } ?? false
    }
}

extension StoreTransaction {
    /// What a token is good for.
    fileprivate func grant(ofToken secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) throws -> EnrolmentGrant {
        let row = try Row.fetchOne(
            db, sql: "SELECT role, name, expires_ms, used_ms FROM tokens WHERE secret_hash = ?", arguments: [Data(secretHash)])
        guard let row, let granted = Identity.Role(rawValue: row["role"]) else {
            throw EpitopeError(
                .tokenUnknown, "the enrolment token was not issued by this center",
                remedy: "create a token at the center that you enrol at, and copy all of it")
        }
        let grant = EnrolmentGrant(identity: Identity(role: granted, name: row["name"]), expiresMilliseconds: row["expires_ms"])
        if let used = row["used_ms"] as Int64? {
            throw EpitopeError(
                .tokenUsed,
                "the enrolment token for \(grant.identity.name) was used at \(Date(timeIntervalSince1970: Double(used) / 1000).formatted(.iso8601))",
                remedy: "create a new token; if none of your people used this one, revoke \(grant.identity.name) first")
        }
        guard nowMilliseconds < grant.expiresMilliseconds else {
            throw EpitopeError(
                .tokenExpired, "the enrolment token for \(grant.identity.name) has expired",
                remedy: "create a new token, and check the center's clock")
        }
        try grant.check(is: role)
        return grant
    }
}
