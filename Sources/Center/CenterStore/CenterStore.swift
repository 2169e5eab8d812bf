// SPDX-License-Identifier: Apache-2.0

public import CenterMetrics
public import EpitopeModel
import GRDB
import PostgresStore
import SQLiteStore
public import Scheduling

/// The durable store of a center, local or global. Every step from a received packet to a deployed rule commits its
/// result here before the next step begins, so a center that is killed at any point resumes where it stopped.
///
/// One SQLite file in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns. Several processes
/// may have it open (the server, and an operator's commands). Or a PostgreSQL database, which several centers of one site, on several
/// machines, have open; one of them does the work (``WorkShift``).
///
/// Every method throws `store-failed` or `store-unusable` when the file or database can't be read, and one that writes also
/// `disk-full`; only further errors are listed with a method.
public final class CenterStore: Sendable {
    /// The file. Of a store in PostgreSQL: where it would be; the list of revocations lies beside it.
    public let path: String
    public let clock: CenterClock
    /// What is counted, of the store and of all that works on it.
    public let counters: CenterCounters
    let database: StoreDatabase
    let groupCommit: GroupCommit
    let ruleCache: UpdateCache
    let knownRevocations: KnownRevocations
    let knownBodies: KnownBodies
    let knownSources: KnownSources
    let turns: ReportTurns
    let room: StoreRoom
    /// The last report and update whose times are right (``DoubtedTimes``); `nil`: not known yet.
    let settled: LiveValue<LastNumbers?>
    /// Sent when the work may be free to be taken.
    let workSignal: WakeUpSignal
    /// Sent when this process has written events.
    public let eventSignal: WakeUpSignal
    /// Whose word must stand in the store for a transaction to be made (``holding(_:)``); `nil`: it isn't looked for.
    let fence: WorkFence?
    /// In whose name it is acted (``acting(as:)``).
    let actor: AuditActor
    /// Whether others are told of a change before the call returns, and not soon after: for a program that ends then.
    let ringsAtOnce: Bool

    /// Opens a store, or creates it with mode 0600, and its folder with 0700.
    ///
    /// - Parameters:
    ///   - maxBytes: the maximum size of the file in bytes; `nil`: no limit but the disk.
    ///   - reportRoom: how far reports may fill it.
    ///   - isServed: whether another process works on it, which may be of an earlier version: the schema is not changed.
    /// - Throws: `store-unusable` when the file is damaged or not a store, `store-failed`, `disk-full`, `store-older`.
    public convenience init(
        path: String, maxBytes: Int64? = nil, reportRoom: ReportRoom = ReportRoom(), clock: CenterClock = .system, isServed: Bool = false
    ) throws(EpitopeError) {
        var settings = SQLiteStore.Settings(label: "center-store")
        if isServed { settings.outdated = .storeOlder(path) }
        settings.maxBytes = maxBytes
        settings.isShrinkable = true
        // Packets' ids are random: the index over them is looked up and written all over. With the cache that is memory's matter as
        // long as it fits (some 400,000 packets), and with the longer log (16 MB) a page of it is written once for many packets.
        settings.writerCacheBytes = 32 << 20
        settings.checkpointPages = 4000
        let store = try SQLiteStore(path: path, settings, migrator: Schema.migrator, describe: EpitopeError.store)
        self.init(Parts(database: .sqlite(store), path: path, clock: clock, reportRoom: reportRoom, ringsAtOnce: false))
    }

    /// Opens a store in a PostgreSQL database, or makes its schema there.
    ///
    /// - Parameters:
    ///   - connection: how the database is reached, as libpq takes it.
    ///   - path: where the store's file would be: the list of revocations is kept beside it.
    ///   - reportRoom: how far reports may fill it; of the server's disk nothing is known here.
    ///   - isServed: for a command beside the center: the schema is not changed, and other processes are told of a change before a call
    ///     returns.
    /// - Throws: `store-unusable` when the database holds something else, `store-failed`, `disk-full`, `store-older`, `libpq-missing`.
    public convenience init(
        postgresql connection: String, path: String, reportRoom: ReportRoom = ReportRoom(), clock: CenterClock = .system,
        isServed: Bool = false
    ) throws(EpitopeError) {
        var settings = PostgresStore.Settings(label: "center-store")
        if isServed { settings.outdated = .databaseOlder }
        let store = try PostgresStore(
            connection: connection, settings, migrations: PostgresSchema.migrations, describe: EpitopeError.store)
        self.init(Parts(database: .postgres(store), path: path, clock: clock, reportRoom: reportRoom, ringsAtOnce: isServed))
    }

    /// What a store is made of.
    private struct Parts {
        var database: StoreDatabase
        var path: String
        var clock: CenterClock
        var reportRoom: ReportRoom
        var ringsAtOnce: Bool
    }

    private init(_ parts: Parts) {
        (database, path, clock) = (parts.database, parts.path, parts.clock)
        (ringsAtOnce, fence, actor) = (parts.ringsAtOnce, nil, .center)
        (counters, knownBodies, knownSources, ruleCache) = (CenterCounters(), KnownBodies(), KnownSources(), UpdateCache())
        StoreTally.declare(in: counters)
        (turns, workSignal, eventSignal) = (ReportTurns(), WakeUpSignal(), WakeUpSignal())
        knownRevocations = KnownRevocations(parts.database, path: parts.path)
        room = StoreRoom(parts.reportRoom, path: parts.path)
        settled = LiveValue(nil)
        groupCommit = GroupCommit(
            database: parts.database, clock: parts.clock, turns: turns, revocations: knownRevocations, counters: counters, room: room)
    }

    /// The same store, of which every transaction fails with `work-moved` unless the work is still whose fence it is.
    func holding(_ fence: WorkFence) -> CenterStore { CenterStore(self, fence: fence, actor: actor) }

    init(_ store: CenterStore, fence: WorkFence?, actor: AuditActor) {
        (database, path, clock, counters) = (store.database, store.path, store.clock, store.counters)
        (ringsAtOnce, turns, room, settled) = (store.ringsAtOnce, store.turns, store.room, store.settled)
        (knownRevocations, groupCommit, self.fence, self.actor) = (store.knownRevocations, store.groupCommit, fence, actor)
        (workSignal, eventSignal) = (store.workSignal, store.eventSignal)
        (knownBodies, knownSources, ruleCache) = (store.knownBodies, store.knownSources, store.ruleCache)
    }

    /// For a server: has the room for the store's log written ahead, so that a commit needn't wait for the file to grow, and the list
    /// of revocations completed. What can't be done is left. And the clusters are counted, from which on those that come and go are.
    public func prepare() async {
        if case .sqlite(let store) = database {
            await store.shortenLog()
            await store.reserveLog()
        }
        try? await listRevocations()
        if let count = try? await snapshot({ try Int64.fetchOne($0.db, sql: "SELECT count(*) FROM clusters") ?? 0 }) {
            counters.clusters.set(count)
        }
    }

    /// Checks that there is room for what becomes of the reports that are there. Over a database its server knows.
    ///
    /// - Throws: `disk-full`.
    public func requireRoomForWork() throws(EpitopeError) {
        if isFile { try room.requireForWork() }
    }

    /// Reads from one state of the store, whatever is written meanwhile. A write in it fails with `store-failed`.
    ///
    /// - Throws: `store-failed`, `store-unusable`, or what the body throws.
    public func snapshot<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let clock = clock
        return try await database.read { db in try body(StoreTransaction(db: db, clock: clock)) }
    }

    /// Runs a step as one transaction, which is on the disk when this returns. On PostgreSQL it may run more than once.
    ///
    /// - Throws: `disk-full`, `store-failed`, `store-unusable`, or what the body throws; of a store that holds the work also `work-moved`.
    @discardableResult
    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let (clock, fence, actor) = (clock, fence, actor)
        let (value, counts) = try await database.write(telling: fence == nil && !ringsAtOnce ? .decisions : nil) { db in
            let transaction = StoreTransaction(db: db, clock: clock, actor: actor)
            if let fence { try transaction.require(fence) }
            return (try body(transaction), transaction.tally.counts)
        }
        counts.add(to: counters)
        if !counts.events.isEmpty { eventSignal.send() }
        await tell(counts)
        return value
    }

    /// Runs a step as one transaction that may be beside others (``StoreDatabase/append(_:)``).
    func append<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let clock = clock
        return try await database.append { db in try body(StoreTransaction(db: db, clock: clock)) }
    }

    /// Hears of what other centers, and commands, do with the store, until it is closed. Of what isn't heard each part of the work finds
    /// out by itself, a little later. Over a file nothing is heard.
    ///
    /// - Parameter heard: called with what there is to look at.
    public func listen(_ heard: @escaping @Sendable (Set<StoreTopic>) -> Void) {
        guard case .postgres(let store) = database else { return }
        let signal = workSignal
        store.listen { topics in
            let topics = topics.map { Set($0.compactMap(StoreTopic.init)) } ?? Set(StoreTopic.allCases)
            if topics.contains(.work) { signal.send() }
            heard(topics)
        }
    }

    /// Tells the others of a change of which that is worth it, beside what ``transaction(_:)`` tells by itself.
    private func tell(_ counts: StoreTally.Counts) async {
        guard case .postgres(let store) = database else { return }
        if ringsAtOnce { await store.ringNow(StoreTopic.decisions.rawValue) }
        if counts.deliveries[.feed] != nil, fence != nil { store.ring(StoreTopic.feed.rawValue) }
    }
}
