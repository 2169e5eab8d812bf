// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import PostgresStore
import SQLiteStore
import SecureChannel
import Synchronization
import TestSupport

@testable import CenterStore

/// The stores of tests: SQLite files, or with `EPITOPE_TEST_STORE=postgresql` in the environment databases of a PostgreSQL server of the
/// run's own, so that the same tests say of both that they are the same store.
enum TestStore {
    static let isPostgres = ProcessInfo.processInfo.environment["EPITOPE_TEST_STORE"] == "postgresql"
    /// For tests of what only a file has.
    static let isFile = !isPostgres

    /// The database that stands for a file, by its path.
    private static let databases = Mutex<[String: String]>([:])
    /// With the schema made: a copy of it is made quicker.
    private static let template = Result {
        let server = try PostgresServer.shared.get()
        let connection = try server.makeDatabase()
        _ = try CenterStore(postgresql: connection, path: "/nowhere/center.sqlite").close()
        return connection.split(separator: "=").last.map(String.init) ?? ""
    }

    /// Opens the store that a path names, as `CenterStore(path:)` would.
    static func open(
        path: String, maxBytes: Int64? = nil, reportRoom: ReportRoom = ReportRoom(), clock: CenterClock = .system, isServed: Bool = false
    ) throws(EpitopeError) -> CenterStore {
        guard isPostgres else {
            return try CenterStore(path: path, maxBytes: maxBytes, reportRoom: reportRoom, clock: clock, isServed: isServed)
        }
        // The list of revocations lies beside it.
        try? FileManager.default.createDirectory(
            atPath: URL(filePath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
        return try CenterStore(
            postgresql: try database(path), path: path, reportRoom: reportRoom, clock: clock, isServed: isServed)
    }

    /// How a client reaches the database that stands for a path.
    static func database(_ path: String) throws(EpitopeError) -> String {
        do {
            return try databases.withLock { databases in
                if let known = databases[path] { return known }
                try removeLeft(&databases)
                let made = try PostgresServer.shared.get().makeDatabase(from: template.get())
                databases[path] = made
                return made
            }
        } catch {
            throw EpitopeError(.internalFailure, "no database could be made for a test: \(error)", remedy: "install postgresql-15")
        }
    }

    /// A test's folder goes with it: each database is some thousand files.
    private static func removeLeft(_ databases: inout [String: String]) throws {
        for (path, connection) in databases {
            let folder = URL(filePath: path).deletingLastPathComponent().path
            guard !FileManager.default.fileExists(atPath: folder), let name = connection.split(separator: "=").last else { continue }
            try PostgresServer.shared.get().run("DROP DATABASE \(name) WITH (FORCE)", in: "postgres")
            databases[path] = nil
        }
    }

    /// Runs statements on the store of a path as another program would.
    static func execute(_ sql: String, at path: String) async throws {
        guard isPostgres else { return try await DatabaseQueue(path: path).write { try $0.execute(sql: sql) } }
        try PostgresServer.shared.get().run("SET search_path = epitope; \(sql)", at: database(path))
    }
}

extension TestStore {
    /// Has a store refuse rows from now on, as if a program's fault or damage did it.
    ///
    /// - Parameters:
    ///   - event: such as `INSERT` or `UPDATE OF body`.
    ///   - condition: an SQL condition on `NEW`.
    static func refuse(_ event: String, on table: String, when condition: String, at path: String) async throws {
        guard isPostgres else {
            let body = "BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
            return try await execute("CREATE TRIGGER refusal BEFORE \(event) ON \(table) WHEN \(condition) \(body)", at: path)
        }
        try await execute(
            """
            CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = 'check_violation'; END $$;
            CREATE TRIGGER refusal BEFORE \(event) ON \(table) FOR EACH ROW WHEN (\(condition)) EXECUTE FUNCTION refuse()
            """, at: path)
    }

    /// Ends that.
    static func allow(on table: String, at path: String) async throws {
        try await execute(isPostgres ? "DROP TRIGGER refusal ON \(table)" : "DROP TRIGGER refusal", at: path)
    }
}

extension CenterStore {
    /// The file's connections.
    var pool: DatabasePool {
        get throws {
            guard case .sqlite(let store) = database else { throw Unexpected(description: "the store is no file") }
            return store.pool
        }
    }

    /// As a process that ends leaves it.
    func close() throws {
        switch database {
        case .sqlite(let store): try store.pool.close()
        case .postgres(let store): store.close()
        }
    }
}

extension StoreTransaction {
    /// How many rows this connection has inserted, changed or deleted so far.
    var totalChanges: Int {
        get throws {
            switch db {
            case .sqlite(let database): database.totalChangesCount
            case .postgres(let connection): connection.allChanges
            }
        }
    }
}
