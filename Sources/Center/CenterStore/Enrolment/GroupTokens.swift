// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import GRDB
import SecureChannel

/// A token for several hosts, as it stands in the store.
struct GroupToken {
    let secretHash: Data
    let grant: GroupGrant
    let used: Int
    let revokedMilliseconds: Int64?

    fileprivate var usedUp: EpitopeError {
        EpitopeError(
            .tokenUsed,
            "the enrolment token \(EnrolmentTokenRow.id(of: secretHash)) was used by \(grant.maxHosts) hosts, as many as it was made for",
            remedy: "create a new token; `tokens` at the center lists which hosts used this one")
    }
}

extension StoreTransaction {
    func addToken(secretHash: [UInt8], group: GroupGrant) throws {
        try db.execute(
            sql: "INSERT INTO group_tokens (secret_hash, names, network, max_hosts, made_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                Data(secretHash), group.names.description, group.network?.description, group.maxHosts, nowMilliseconds,
                group.expiresMilliseconds,
            ])
        try record(
            .tokenMade, group.names.description,
            "for up to \(group.maxHosts) hosts\(group.network.map { " in \($0)" } ?? ""), token \(EnrolmentTokenRow.id(of: secretHash))")
    }

    /// - Returns: `nil`: the token is not one for several hosts.
    func groupToken(_ secretHash: [UInt8]) throws -> GroupToken? {
        try Row.fetchOne(
            db,
            sql: "SELECT secret_hash, names, network, max_hosts, used, expires_ms, revoked_ms FROM group_tokens WHERE secret_hash = ?",
            arguments: [Data(secretHash)]
        ).flatMap(GroupToken.init)
    }

    /// What a token for several hosts grants to who uses it now.
    ///
    /// - Throws: `token-revoked`, `token-used`, `token-expired`, `name-taken`, what ``GroupGrant/identity(of:)`` throws.
    func grant(of token: GroupToken, to applicant: EnrolmentApplicant, nowMilliseconds: Int64) throws -> EnrolmentGrant {
        let (group, id) = (token.grant, EnrolmentTokenRow.id(of: token.secretHash))
        if let revoked = token.revokedMilliseconds {
            throw EpitopeError(
                .tokenRevoked, "the enrolment token \(id) for hosts named \(group.names) was revoked at \(ChannelClock.text(revoked))",
                remedy: "ask the center's operator for the reason, then use a token that was made since")
        }
        guard token.used < group.maxHosts else { throw token.usedUp }
        guard nowMilliseconds < group.expiresMilliseconds else {
            throw EpitopeError(
                .tokenExpired, "the enrolment token \(id) for hosts named \(group.names) has expired",
                remedy: "create a new token, and check the center's clock")
        }
        let identity = try group.identity(of: applicant)
        guard try !isKnown(hostNamed: identity.name) else { throw GroupGrant.nameTaken(identity.name) }
        return EnrolmentGrant(identity: identity, expiresMilliseconds: group.expiresMilliseconds)
    }

    /// Counts a use.
    ///
    /// - Returns: which use of which token it was, for the audit trail.
    func countUse(of token: GroupToken, by name: String, at address: IPAddress?, nowMilliseconds: Int64) throws -> String {
        try db.execute(
            sql: "UPDATE group_tokens SET used = used + 1, used_ms = ? WHERE secret_hash = ? AND used < max_hosts",
            arguments: [nowMilliseconds, token.secretHash])
        guard db.changesCount == 1 else { throw token.usedUp }
        try db.execute(
            sql: "INSERT INTO group_token_uses (secret_hash, name, time_ms, address) VALUES (?, ?, ?, ?)",
            arguments: [token.secretHash, name, nowMilliseconds, address?.description])
        return "token \(EnrolmentTokenRow.id(of: token.secretHash)), use \(token.used + 1) of \(token.grant.maxHosts)"
    }

    /// Whether the center has ever heard of a host of that name, whatever its capitals: who has a token for several must not become it, nor
    /// look like it.
    private func isKnown(hostNamed name: String) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM certificates WHERE lower(name) = ?1 AND role = ?2)
                  OR EXISTS (SELECT 1 FROM tokens WHERE lower(name) = ?1 AND role = ?2)
                  OR EXISTS (SELECT 1 FROM revocations WHERE lower(name) = ?1 AND role = ?2)
                  OR EXISTS (SELECT 1 FROM sightings WHERE name = ?3 AND role = ?2)
                """,
            arguments: [name.lowercased(), Identity.Role.host.rawValue, name]) ?? true
    }

    /// Takes back all tokens that can still be used.
    ///
    /// - Returns: how many there were.
    func revokeOpenTokens() throws -> Int {
        try db.execute(
            sql: "UPDATE tokens SET revoked_ms = ? WHERE used_ms IS NULL AND revoked_ms IS NULL", arguments: [nowMilliseconds])
        let single = db.changesCount
        try db.execute(
            sql: "UPDATE group_tokens SET revoked_ms = ? WHERE used < max_hosts AND revoked_ms IS NULL", arguments: [nowMilliseconds])
        return single + db.changesCount
    }
}

extension GroupToken {
    /// - Returns: `nil` for a row that only a later version understands.
    fileprivate init?(_ row: Row) {
        guard let names = HostNamePattern(row["names"] as String) else { return nil }
        let network = row["network"] as String?
        let parsed = network.flatMap { IPNetwork($0) }
        // One that can't be read must not let in everybody.
        guard network == nil || parsed != nil else { return nil }
        self.init(
            secretHash: row["secret_hash"],
            grant: GroupGrant(maxHosts: row["max_hosts"], names: names, network: parsed, expiresMilliseconds: row["expires_ms"]),
            used: row["used"], revokedMilliseconds: row["revoked_ms"])
    }
}
