// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import GRDB
import PostgresStore
import Scheduling
import Synchronization

/// A state of a store's revocations. Where it is the same as before, nobody was revoked meanwhile.
enum RevocationState: Hashable, Sendable {
    /// Of the list beside a SQLite file (``RevocationList``), to which whoever revokes, in this process or another, adds a line once the
    /// revocation is on the disk.
    case list(FileIdentity?)
    /// The number that counts them in PostgreSQL.
    case number(Int64)
}

/// The revocations in memory: each request asks for its sender's, and hardly any reads them.
///
/// They are read anew when their state is another one. So the next request knows of a revocation, whoever made it and where. A line of
/// the list that could not be written (a full disk, a crash just then) delays a revocation by ``maxAge`` at most.
final class KnownRevocations: Sendable {
    private struct Contents {
        var state: RevocationState
        var read: ContinuousClock.Instant
        /// Up to which time of issue each identity's certificates are revoked, in milliseconds since 1970.
        var times: [Identity: Int64]
    }

    static let maxAge = Duration.seconds(10)

    private let list: String
    /// Asks PostgreSQL for the number; requests that come together ask once.
    private let number: SharedLook<Int64, EpitopeError>?
    private let contents = Mutex<Contents?>(nil)

    /// - Parameter path: the store's.
    init(_ database: StoreDatabase, path: String) {
        list = RevocationList(beside: path).path
        number =
            switch database {
            case .sqlite: nil
            case .postgres(let store):
                SharedLook { () throws(EpitopeError) in try await store.ask { try StoreConnection.postgres($0).revocationNumber() } }
            }
    }

    /// The state now.
    func state() async throws(EpitopeError) -> RevocationState {
        guard let number else { return .list(FileIdentity(path: list)) }
        return .number(try await number.value())
    }

    /// The state in a transaction.
    func state(in db: StoreConnection) throws -> RevocationState {
        switch db {
        case .sqlite: .list(FileIdentity(path: list))
        case .postgres: .number(try db.revocationNumber())
        }
    }

    /// Up to which time of issue an identity's certificates are revoked; `nil`: none ever was. And the state as of which that is so.
    ///
    /// - Parameter read: reads all revocations from the store.
    func time(
        of identity: Identity, read: () async throws(EpitopeError) -> [Identity: Int64]
    ) async throws(EpitopeError) -> (time: Int64?, asOf: RevocationState) {
        // Looked at first: what is committed after the store was read changes it after that.
        let state = try await state()
        let known: Int64?? = contents.withLock { contents in
            guard let contents, contents.state == state, .now - contents.read < Self.maxAge else { return nil }
            return .some(contents.times[identity])
        }
        if let known { return (known, state) }
        let begun = ContinuousClock.now
        let times = try await read()
        contents.withLock { $0 = Contents(state: state, read: begun, times: times) }
        return (times[identity], state)
    }
}

extension StoreConnection {
    /// PostgreSQL's number of the revocations.
    fileprivate func revocationNumber() throws -> Int64 { try Int64.fetchOne(self, sql: "SELECT number FROM revocation_state") ?? 0 }
}

extension StoreTransaction {
    /// Up to which time of issue an identity's certificates are revoked, in milliseconds since 1970; `nil`: none ever was.
    func revocation(of identity: Identity) throws -> Int64? {
        try Int64.fetchOne(
            db, sql: "SELECT issued_until_ms FROM revocations WHERE role = ? AND name = ?",
            arguments: [identity.role.rawValue, identity.name])
    }

    func revocations() throws -> [Identity: Int64] {
        Dictionary(
            try Row.fetchAll(db, sql: "SELECT role, name, issued_until_ms FROM revocations").compactMap { row in
                Identity.Role(rawValue: row["role"]).map { (Identity(role: $0, name: row["name"]), row["issued_until_ms"]) }
            }, uniquingKeysWith: max)
    }

    /// The same with all that is known of each, by role and name.
    func allRevocations() throws -> [Revocation] {
        try Row.fetchAll(db, sql: "SELECT role, name, time_ms, issued_until_ms FROM revocations ORDER BY role, name").compactMap { row in
            Identity.Role(rawValue: row["role"]).map {
                Revocation(
                    role: $0, name: row["name"], timeMilliseconds: row["time_ms"], issuedUntilMilliseconds: row["issued_until_ms"])
            }
        }
    }
}
