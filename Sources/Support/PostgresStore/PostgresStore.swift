// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc

/// A durable store in a PostgreSQL database, with its schema. Several processes, on several machines, may have it open at once.
///
/// What is written by ``write(_:)`` is written by one of them at a time, on one state of the store, as if there were no others; what
/// only adds rows that nobody else can have (``append(_:)``) waits for none of them.
public final class PostgresStore: Sendable {
    /// How a store is opened.
    public struct Settings: Sendable {
        /// What the server's administrator sees, and the name of the store's threads.
        public var label: String
        /// How many reads may run at once.
        public var maxReaders = 4
        /// Thrown where the schema is not up to date, instead of changing it; `nil`: it is brought up to date.
        public var outdated: EpitopeError?

        public init(label: String) {
            self.label = label
        }
    }

    /// A step of the schema, made once in a database.
    public struct Migration: Sendable {
        public var name: String
        /// Statements, separated by semicolons.
        public var sql: String

        public init(_ name: String, _ sql: String) {
            self.name = name
            self.sql = sql
        }
    }

    private let writer: PostgresLane
    private let appender: PostgresLane
    private let readers: PostgresLanes
    private let asker: PostgresLane
    private let bell: PostgresBell
    private let connect: @Sendable () throws(PostgresFailure) -> PostgresConnection
    private let describe: @Sendable (PostgresFailure) -> EpitopeError

    /// Opens a store, or makes it where there is none, in the schema `epitope` of the database that the string names.
    ///
    /// - Parameters:
    ///   - connection: as libpq takes it. It may name several servers: the one is taken that can be written.
    ///   - migrations: the schema, as a list that only grows.
    ///   - describe: turns failures into the store's own errors.
    /// - Throws: what `describe` makes of the failure.
    public convenience init(
        connection: String, _ settings: Settings, migrations: [Migration], describe: @escaping @Sendable (PostgresFailure) -> EpitopeError
    ) throws(EpitopeError) {
        try self.init(connection: connection, settings, limits: PostgresConnection.Limits(), migrations: migrations, describe: describe)
    }

    /// - Parameter limits: how long the server may take.
    init(
        connection: String, _ settings: Settings, limits: PostgresConnection.Limits, migrations: [Migration],
        describe: @escaping @Sendable (PostgresFailure) -> EpitopeError
    ) throws(EpitopeError) {
        let connect = { @Sendable () throws(PostgresFailure) in
            try PostgresConnection(connection, limits: limits, application: "epitope \(settings.label)")
        }
        self.connect = connect
        self.describe = describe
        writer = PostgresLane(label: "\(settings.label).writer", open: connect)
        appender = PostgresLane(label: "\(settings.label).appender", open: connect)
        readers = PostgresLanes(
            (1...max(1, settings.maxReaders)).map { PostgresLane(label: "\(settings.label).reader.\($0)", open: connect) })
        asker = PostgresLane(label: "\(settings.label).asker", open: connect)
        bell = PostgresBell(label: "\(settings.label).bell", open: connect)
        do {
            try writer.perform { try Self.migrate($0, migrations, outdated: settings.outdated) }
        } catch {
            throw Self.error(error, describe)
        }
    }

    /// Ends all connections.
    public func close() {
        writer.close()
        appender.close()
        readers.close()
        asker.close()
        bell.close()
    }

    /// Tells the other processes that have the store open that there is something new, without waiting for that.
    public func ring(_ topic: String) { bell.ring(topic) }

    /// The same, when it is told on return: for a program that ends then.
    public func ringNow(_ topic: String) async { await bell.ringNow(topic) }

    /// Hears of what other processes tell by ``ring(_:)``, until the store is closed.
    ///
    /// - Parameter heard: called on a thread of its own, with the topics; `nil`: some may have been missed.
    /// - Returns: whether it listens; only one does for a store.
    @discardableResult
    public func listen(_ heard: @escaping @Sendable (Set<String>?) -> Void) -> Bool { bell.listen(open: connect, heard: heard) }

    /// Runs a step that only reads, on one state of the store.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(EpitopeError) -> Value {
        try await run(on: { try await self.readers.run($0) }, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body)
    }

    /// Runs a step as one transaction, which is on the server's disk, and on its standby's if it has one that is synchronous, when
    /// this returns. What it changed is rung by the topic, if there is one. Where the step throws, nothing of it is kept. It may run more than once.
    ///
    /// While it runs no other ``write(_:)`` does, of any process: it decides on what is there, and not on what was.
    public func write<Value: Sendable>(
        ringing topic: String? = nil, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(EpitopeError) -> Value {
        // The lock is taken before the transaction's state is: LOCK TABLE is the one statement that needs none.
        let (value, changes) = try await run(
            on: { try await self.writer.run($0) },
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE; LOCK TABLE one_writer IN EXCLUSIVE MODE"
        ) { connection in
            let before = connection.allChanges
            return (try body(connection), connection.allChanges - before)
        }
        if let topic, changes > 0 { ring(topic) }
        return value
    }

    /// Runs a step as one transaction beside others, each of whose statements sees what is committed when it begins. It may run more
    /// than once.
    ///
    /// What it found to be there already is on the synchronous standby, too, when this returns: a server that crashed while a commit
    /// waited for its standby shows what it committed once it is back, and a commit of nothing would not wait. So it says something,
    /// which leaves no row.
    public func append<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(EpitopeError) -> Value {
        try await run(on: { try await self.appender.run($0) }, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE") { connection in
            let before = connection.allChanges
            let value = try body(connection)
            if connection.allChanges == before { try connection.run("SELECT pg_logical_emit_message(true, 'epitope', '')") }
            return value
        }
    }

    /// Runs a step of single statements, each of which is by itself and sees what is committed when it begins: one way to the server
    /// and back for each. It waits for no long read. It may run more than once.
    public func ask<Value: Sendable>(_ body: @escaping @Sendable (PostgresConnection) throws -> Value) async throws(EpitopeError) -> Value {
        do { return try await asker.run(body) } catch { throw Self.error(error, describe) }
    }

    private static let maxAttempts = 8

    private func run<Value: Sendable>(
        on lane: (@escaping @Sendable (PostgresConnection) throws -> Value) async throws -> Value, _ begin: String,
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(EpitopeError) -> Value {
        var attempt = 1
        while true {
            do {
                return try await lane { connection in try connection.transaction(begin, body) }
            } catch let failure as PostgresFailure {
                switch failure {
                case _ where failure.isWorthRepeating && attempt < Self.maxAttempts:
                    try? await Task.sleep(for: .milliseconds(Int.random(in: 1...(5 << attempt))))
                default: throw describe(failure)
                }
                attempt += 1
            } catch {
                throw Self.error(error, describe)
            }
        }
    }

    /// An error that a step threw itself passes as it is.
    private static func error(_ error: any Error, _ describe: @Sendable (PostgresFailure) -> EpitopeError) -> EpitopeError {
        error as? EpitopeError ?? describe(error as? PostgresFailure ?? .other(error))
    }
}

// MARK: Schema

extension PostgresStore {
    /// Any number will do that no other program takes for a lock of its own in the same database: "epitope" in ASCII.
    private static let migrationLock: Int64 = 0x65_7069_746f_7065

    private static func migrate(_ connection: PostgresConnection, _ migrations: [Migration], outdated: EpitopeError?) throws {
        if let outdated {
            guard try missing(migrations, connection).isEmpty else { throw outdated }
            return
        }
        try connection.transaction("BEGIN") { connection in
            // Others that open it at the same time wait here, and find it made.
            try connection.execute("SELECT pg_advisory_xact_lock(?)", [.integer(migrationLock)])
            // Who may not make one can be given one.
            if try connection.integer("SELECT count(*) FROM pg_namespace WHERE nspname = 'epitope'") == 0 {
                try connection.run("CREATE SCHEMA epitope")
            }
            try connection.run(
                """
                CREATE TABLE IF NOT EXISTS epitope.migrations (name TEXT COLLATE "C" PRIMARY KEY);
                CREATE TABLE IF NOT EXISTS epitope.one_writer ();
                """)
            for migration in try missing(migrations, connection) {
                try connection.run(migration.sql)
                try connection.execute("INSERT INTO migrations (name) VALUES (?)", [.text(migration.name)])
            }
        }
    }

    /// - Throws: `damaged` where the schema is one of a later version.
    private static func missing(_ migrations: [Migration], _ connection: PostgresConnection) throws -> [Migration] {
        guard try connection.integer("SELECT count(*) FROM pg_tables WHERE schemaname = 'epitope' AND tablename = 'migrations'") == 1 else {
            return migrations
        }
        let result = try connection.execute("SELECT name FROM migrations")
        let made = try Set((0..<result.rowCount).map { try result.value($0, 0) })
        let later = made.subtracting(migrations.map { .text($0.name) })
        guard later.isEmpty else { throw PostgresFailure.damaged(message: "its schema is of a later version of this program") }
        return migrations.filter { !made.contains(.text($0.name)) }
    }
}
