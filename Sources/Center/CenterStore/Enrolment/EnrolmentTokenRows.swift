// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import GRDB

/// An enrolment token, as a person sees it: its secret is nowhere.
public struct EnrolmentTokenRow: Hashable, Sendable, Codable {
    /// Whether it can be used, and why not.
    public enum State: String, Hashable, Sendable, Codable {
        /// It can be used.
        case open
        /// As often as it may be.
        case used
        case expired
        case revoked
    }

    /// A host that enrolled by it.
    public struct Use: Hashable, Sendable, Codable {
        public var name: String
        public var timeMilliseconds: Int64
        /// Where it enrolled from; `nil`: it isn't known.
        public var address: String?
    }

    /// What tells it from others: the first digits of its secret's hash.
    public var id: String
    public var state: State
    public var role: Identity.Role
    /// The name that it is for, or the pattern of names.
    public var name: String
    /// Where those who use it must be; `nil`: anywhere.
    public var network: String?
    public var maxUses: Int
    public var used: Int
    /// In milliseconds since 1970, as the others; `nil`: it isn't kept of tokens for one identity.
    public var madeMilliseconds: Int64?
    public var expiresMilliseconds: Int64
    /// When it was used last; `nil`: never.
    public var usedMilliseconds: Int64?
    public var revokedMilliseconds: Int64?
    /// Who used it, the latest last.
    public var uses: [Use]

    static func id(of secretHash: some Collection<UInt8>) -> String { Hex.encode(secretHash.prefix(5)) }
}

extension CenterStore {
    /// The tokens, those that expire last at the end. Those that expired long ago are forgotten, but for the used ones.
    public func enrolmentTokens() async throws(EpitopeError) -> [EnrolmentTokenRow] {
        try await snapshot { try $0.enrolmentTokens().map(\.row) }
    }

    /// Takes back the token of that id: it can be used no more. Who used it stays.
    ///
    /// - Returns: what it was then; `nil`: there is no such token that can be used.
    public func revokeToken(id: String) async throws(EpitopeError) -> EnrolmentTokenRow? {
        try await transaction { transaction in
            guard let (secretHash, row) = try transaction.enrolmentTokens().first(where: { $0.row.id == id && $0.row.state == .open })
            else {
                return nil
            }
            for table in ["tokens", "group_tokens"] {
                try transaction.db.execute(
                    sql: "UPDATE \(table) SET revoked_ms = ? WHERE secret_hash = ?", arguments: [transaction.nowMilliseconds, secretHash])
            }
            try transaction.record(.revoked, row.name, "token \(id), used \(row.used) of \(row.maxUses) times")
            return row
        }
    }

    /// Takes back all tokens that can be used: they pin an authority that goes.
    ///
    /// - Returns: how many there were.
    public func revokeTokens(because reason: String) async throws(EpitopeError) -> Int {
        try await transaction { transaction in
            let count = try transaction.revokeOpenTokens()
            if count > 0 { try transaction.record(.revoked, "tokens", "all that were not used, for \(reason): \(count)") }
            return count
        }
    }

    /// The token for several hosts by which a host enrolled, if it can still be used.
    public func openToken(usedBy identity: Identity) async throws(EpitopeError) -> EnrolmentTokenRow? {
        guard identity.role == .host else { return nil }
        return try await snapshot { try $0.groupTokens(usedBy: identity.name).map(\.row).last { $0.state == .open } }
    }
}

extension StoreTransaction {
    fileprivate func enrolmentTokens() throws -> [(secretHash: Data, row: EnrolmentTokenRow)] {
        let single = try Row.fetchAll(
            db, sql: "SELECT secret_hash, role, name, expires_ms, used_ms, revoked_ms FROM tokens ORDER BY expires_ms, secret_hash")
        return single.compactMap { self.single($0) } + (try groupTokens(usedBy: nil))
    }

    private func single(_ row: Row) -> (Data, EnrolmentTokenRow)? {
        guard let role = Identity.Role(rawValue: row["role"]) else { return nil }
        let (hash, name, used): (Data, String, Int64?) = (row["secret_hash"], row["name"], row["used_ms"])
        var token = EnrolmentTokenRow(
            id: EnrolmentTokenRow.id(of: hash), state: .open, role: role, name: name, maxUses: 1, used: used == nil ? 0 : 1,
            expiresMilliseconds: row["expires_ms"], usedMilliseconds: used, revokedMilliseconds: row["revoked_ms"],
            uses: used.map { [.init(name: name, timeMilliseconds: $0)] } ?? [])
        token.state = state(of: token)
        return (hash, token)
    }

    /// - Parameter name: of a host that used it; `nil`: all.
    fileprivate func groupTokens(usedBy name: String?) throws -> [(secretHash: Data, row: EnrolmentTokenRow)] {
        let columns = "SELECT secret_hash, names, network, max_hosts, used, made_ms, expires_ms, used_ms, revoked_ms FROM group_tokens"
        let rows =
            if let name {
                try Row.fetchAll(
                    db, sql: columns + " WHERE secret_hash IN (SELECT secret_hash FROM group_token_uses WHERE name = ?) ORDER BY made_ms",
                    arguments: [name])
            } else {
                try Row.fetchAll(db, sql: columns + " ORDER BY expires_ms, secret_hash")
            }
        return try rows.map { row in
            let hash: Data = row["secret_hash"]
            let uses = try Row.fetchAll(
                db, sql: "SELECT name, time_ms, address FROM group_token_uses WHERE secret_hash = ? ORDER BY time_ms, name",
                arguments: [hash])
            var token = EnrolmentTokenRow(
                id: EnrolmentTokenRow.id(of: hash), state: .open, role: .host, name: row["names"], network: row["network"],
                maxUses: row["max_hosts"], used: row["used"], madeMilliseconds: row["made_ms"], expiresMilliseconds: row["expires_ms"],
                usedMilliseconds: row["used_ms"], revokedMilliseconds: row["revoked_ms"],
                uses: uses.map { .init(name: $0["name"], timeMilliseconds: $0["time_ms"], address: $0["address"]) })
            token.state = state(of: token)
            return (hash, token)
        }
    }

    private func state(of token: EnrolmentTokenRow) -> EnrolmentTokenRow.State {
        if token.used >= token.maxUses { return .used }
        if token.revokedMilliseconds != nil { return .revoked }
        return token.expiresMilliseconds > nowMilliseconds ? .open : .expired
    }
}
