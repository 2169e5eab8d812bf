// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import SQLiteStore

/// The durable store of a center, local or global. Every step from a received packet to a deployed rule commits its
/// result here before the next step begins, so a center that is killed at any point resumes where it stopped.
///
/// One SQLite file in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns. Several processes
/// may have it open (the server, and an operator's commands).
///
/// Every method throws `store-failed` or `store-unusable` when the file can't be read, and one that writes also
/// `disk-full`; only further errors are listed with a method.
public final class CenterStore: Sendable {
    public let path: String
    public let clock: CenterClock
    let database: SQLiteStore
    let groupCommit: GroupCommit
    let ruleCache = UpdateCache()
    let knownRevocations: KnownRevocations
    let knownBodies = KnownBodies()
    let knownSources = KnownSources()
    let turns = ReportTurns()

    /// Opens a store, or creates it with mode 0600, and its folder with 0700.
    ///
    /// - Parameters:
    ///   - maxBytes: the maximum size of the file in bytes; `nil`: no limit but the disk.
    ///   - isServed: whether another process works on it, which may be of an earlier version: the schema is not changed.
    /// - Throws: `store-unusable` when the file is damaged or not a store, `store-failed`, `disk-full`, `store-older`.
    public init(
        path: String, maxBytes: Int64? = nil, clock: CenterClock = .system, isServed: Bool = false
    ) throws(EpitopeError) {
        var settings = SQLiteStore.Settings(label: "center-store")
        if isServed { settings.outdated = .storeOlder(path) }
        settings.maxBytes = maxBytes
        // Packets' ids are random: the index over them is looked up and written all over. With the cache that is memory's matter as
        // long as it fits (some 400,000 packets), and with the longer log (16 MB) a page of it is written once for many packets.
        settings.writerCacheBytes = 32 << 20
        settings.checkpointPages = 4000
        database = try SQLiteStore(path: path, settings, migrator: Schema.migrator, describe: EpitopeError.store)
        self.path = path
        self.clock = clock
        groupCommit = GroupCommit(database: database, clock: clock, turns: turns)
        knownRevocations = KnownRevocations(store: path)
    }

    /// For a server: has the room for the store's log written ahead, so that a commit needn't wait for the file to grow. What can't
    /// be done is left.
    public func prepare() async { await database.reserveLog() }

    /// Reads from one state of the store, whatever is written meanwhile. A write in it fails with `store-failed`.
    ///
    /// - Throws: `store-failed`, `store-unusable`, or what the body throws.
    public func snapshot<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let clock = clock
        return try await database.read { db in try body(StoreTransaction(db: StoreConnection(sqlite: db), clock: clock)) }
    }

    /// Runs a step as one transaction, which is on the disk when this returns.
    ///
    /// - Throws: `disk-full`, `store-failed`, `store-unusable`, or what the body throws.
    @discardableResult
    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let clock = clock
        return try await database.write { db in try body(StoreTransaction(db: StoreConnection(sqlite: db), clock: clock)) }
    }
}
