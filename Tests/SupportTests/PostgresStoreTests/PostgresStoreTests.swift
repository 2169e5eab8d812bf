// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import PostgresStore

/// A failure as it came.
private let plain = { @Sendable (failure: PostgresFailure) in
    EpitopeError(EpitopeError.Code(failure.word), failure.description, remedy: "none")
}

extension PostgresFailure {
    fileprivate var word: String { String("\(Mirror(reflecting: self).children.first?.label ?? "\(self)")") }
}

@Suite("A store in PostgreSQL says that something is committed only when it is")
struct PostgresStoreTests {
    private let server: PostgresServer
    private let connection: String
    private static let migrations = [PostgresStore.Migration("1", "CREATE TABLE counts (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")]

    init() throws {
        server = try PostgresServer.shared.get()
        connection = try server.makeDatabase()
    }

    private func open(
        _ connection: String? = nil, migrations: [PostgresStore.Migration] = Self.migrations, outdated: EpitopeError? = nil,
        _ change: (inout PostgresConnection.Limits) -> Void = { _ in }
    ) throws -> PostgresStore {
        var limits = PostgresConnection.Limits()
        change(&limits)
        var settings = PostgresStore.Settings(label: "test")
        settings.outdated = outdated
        return try PostgresStore(
            connection: connection ?? self.connection, settings, limits: limits, migrations: migrations, describe: plain)
    }

    private func add(_ name: String, to store: PostgresStore) async throws {
        try await store.write { _ = try $0.execute("INSERT INTO counts VALUES (?, 1)", [.text(name)]) }
    }

    private func names(in store: PostgresStore) async throws -> [PostgresValue] {
        try await store.read { connection in
            let result = try connection.execute("SELECT name FROM counts ORDER BY name")
            return try (0..<result.rowCount).map { try result.value($0, 0) }
        }
    }

    @Test func `values come back as they were given`() async throws {
        let store = try open()
        let values: [PostgresValue] = [
            .integer(.min), .integer(7), .real(1_700_000_000_000.125), .text("d\u{e9}j\u{e0} 'vu' ?"), .text(""),
            .bytes(Data([0, 255, 39])), .bytes(Data()), .null,
        ]
        let back = try await store.read { connection in
            let result = try connection.execute(
                """
                SELECT CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS DOUBLE PRECISION), CAST(? AS TEXT), CAST(? AS TEXT),
                  CAST(? AS BYTEA), CAST(? AS BYTEA), CAST(? AS TEXT)
                """, values)
            return try values.indices.map { try result.value(0, $0) }
        }
        #expect(back == values)
        let zero = try await store.read { connection in
            try connection.execute("SELECT CAST(? AS TEXT)", [.text("a\0b")]).value(0, 0)
        }
        #expect(zero == .text("a\u{FFFD}b"), "a text can't hold the character zero there")
    }

    @Test func `arrays are given as rows`() async throws {
        let store = try open()
        let rows = try await store.read { connection in
            let result = try connection.execute(
                """
                SELECT a, b, c, d FROM unnest(CAST(? AS TEXT[]), CAST(? AS BIGINT[]), CAST(? AS BYTEA[]), CAST(? AS DOUBLE PRECISION[]))
                  AS t (a, b, c, d)
                """, [.texts(["x", nil, ""]), .integers([1, nil, -3]), .byteStrings([Data([0]), nil, Data()]), .reals([0.5, 1, -2])])
            return try (0..<result.rowCount).map { row in try (0..<4).map { try result.value(row, $0) } }
        }
        #expect(
            rows == [
                [.text("x"), .integer(1), .bytes(Data([0])), .real(0.5)], [.null, .null, .null, .real(1)],
                [.text(""), .integer(-3), .bytes(Data()), .real(-2)],
            ])
        let none = try await store.read { try $0.execute("SELECT unnest(CAST(? AS TEXT[]))", [.texts([])]).rowCount }
        #expect(none == 0)
    }

    @Test func `a transaction in which a statement failed is not committed, though COMMIT succeeds`() async throws {
        let store = try open()
        let error = await #expect(throws: EpitopeError.self) {
            try await store.write { connection in
                try connection.execute("INSERT INTO counts VALUES ('a', 1)")
                _ = try? connection.execute("SELECT 1 / (n - 1) FROM counts")
            }
        }
        #expect(error?.code.rawValue == "failed")
        #expect(try await names(in: store) == [])
    }

    @Test func `a commit that breaks off is not known to have happened, and is not repeated`() async throws {
        let store = try open(
            migrations: Self.migrations + [
                .init(
                    "2",
                    """
                    CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
                      $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
                    CREATE CONSTRAINT TRIGGER break_off AFTER INSERT ON counts DEFERRABLE INITIALLY DEFERRED
                      FOR EACH ROW EXECUTE FUNCTION break_off()
                    """)
            ])
        let runs = Mutex(0)
        let error = await #expect(throws: EpitopeError.self) {
            try await store.append { connection in
                runs.withLock { $0 += 1 }
                try connection.execute("INSERT INTO counts VALUES ('a', 1)")
            }
        }
        #expect(error?.code.rawValue == "outcomeUnknown")
        #expect(runs.withLock { $0 } == 1)
        #expect(try await names(in: store) == [], "the store goes on with a new connection")
    }

    @Test func `a connection that broke before the commit is replaced, and the transaction run again`() async throws {
        let store = try open()
        let runs = Mutex(0)
        try await store.write { connection in
            try connection.execute("INSERT INTO counts VALUES ('a', 1)")
            if runs.withLock({ runs in
                runs += 1; return runs
            }) == 1 {
                try connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            }
        }
        #expect(runs.withLock { $0 } == 2)
        #expect(try await names(in: store) == [.text("a")])
    }

    @Test func `connections that lay idle while the server restarted are replaced`() async throws {
        let store = try open()
        try await add("a", to: store)
        _ = try await names(in: store)
        try server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'epitope test' AND datname = current_database()",
            in: connection.split(separator: "=").last.map(String.init) ?? "")
        try await add("b", to: store)
        #expect(try await names(in: store) == [.text("a"), .text("b")])
    }

    @Test func `who writes decides on what is there, whoever else writes`() async throws {
        let stores = [try open(), try open()]
        try await stores[0].write { _ = try $0.execute("INSERT INTO counts VALUES ('a', 0)") }
        try await withThrowingTaskGroup { group in
            for number in 0..<60 {
                group.addTask {
                    try await stores[number % 2].write { connection in
                        let n = try connection.integer("SELECT n FROM counts") ?? 0
                        try connection.execute("UPDATE counts SET n = ?", [.integer(n + 1)])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await stores[1].read { try $0.integer("SELECT n FROM counts") } == 60)
    }

    @Test func `rows are appended while another writes, and a reader sees one state`() async throws {
        let (writing, other) = (try open(), try open())
        let (isWriting, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let written = Task {
            try await writing.write { connection in
                try connection.execute("INSERT INTO counts VALUES ('slow', 1)")
                isWriting.signal()
                mayEnd.wait()
            }
        }
        await Task.detached { isWriting.wait() }.value
        try await other.append { _ = try $0.execute("INSERT INTO counts VALUES ('quick', 1)") }
        #expect(try await names(in: other) == [.text("quick")])
        mayEnd.signal()
        try await written.value
        #expect(try await names(in: other) == [.text("quick"), .text("slow")])
    }

    @Test func `who can't write since another does, for too long, can write when that one is done`() async throws {
        let (writing, other) = (try open(), try open { $0.lock = .milliseconds(100) })
        let (isWriting, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let written = Task {
            try await writing.write { _ in
                isWriting.signal()
                mayEnd.wait()
            }
        }
        await Task.detached { isWriting.wait() }.value
        await #expect(throws: EpitopeError.self) { try await add("a", to: other) }
        mayEnd.signal()
        try await written.value
        try await add("b", to: other)
        #expect(try await names(in: other) == [.text("b")])
    }

    @Test func `a center that is frozen in a transaction keeps others from writing only for a time, and its own is lost`() async throws {
        let frozen = try open { $0.silence = .milliseconds(300) }
        let (isWriting, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let written = Task {
            try await frozen.write { connection in
                try connection.execute("INSERT INTO counts VALUES ('frozen', 1) ON CONFLICT (name) DO UPDATE SET n = counts.n + 1")
                isWriting.signal()
                mayEnd.wait()
            }
        }
        await Task.detached { isWriting.wait() }.value
        let other = try open()
        try await add("other", to: other)
        #expect(try await names(in: other) == [.text("other")])
        mayEnd.signal()
        // It comes back, and asks for a commit. All that it hears is that the connection was ended.
        let error = await #expect(throws: EpitopeError.self) { try await written.value }
        #expect(error?.code.rawValue == "outcomeUnknown")
        #expect(try await names(in: other) == [.text("other")])
    }

    @Test func `a commit that no standby has is not acknowledged`() async throws {
        let own = try PostgresServer()
        let store = try open(own.connection(to: "postgres")) { limits in
            limits.commit = .milliseconds(500)
            limits.grace = .milliseconds(500)
        }
        try await add("a", to: store)
        try own.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", in: "postgres")
        try own.run("SELECT pg_reload_conf()", in: "postgres")
        try await eventually("the setting") { try own.run("SHOW synchronous_standby_names", in: "postgres") == "nobody\n" }
        let error = await #expect(throws: EpitopeError.self) { try await add("b", to: store) }
        #expect(error?.code.rawValue == "outcomeUnknown")
        // Nor is what was there already: the server may have come back from a crash with what no standby got.
        let again = await #expect(throws: EpitopeError.self) { try await store.append { _ = try $0.execute("SELECT 1") } }
        #expect(again?.code.rawValue == "outcomeUnknown")
    }

    @Test func `a server that is frozen keeps nobody waiting for ever`() async throws {
        let own = try PostgresServer()
        let store = try open(own.connection(to: "postgres")) { limits in
            limits.statement = .milliseconds(500)
            limits.grace = .milliseconds(500)
            limits.connectSeconds = 2
        }
        try await add("a", to: store)
        try own.send(SIGSTOP)
        let error = await #expect(throws: EpitopeError.self) { try await add("b", to: store) }
        #expect(error?.code.rawValue == "unreachable")
        try own.send(SIGCONT)
        try await add("c", to: store)
        #expect(try await names(in: store) == [.text("a"), .text("c")])
    }

    @Test func `a server that can't be written is no store's`() throws {
        let own = try PostgresServer(["default_transaction_read_only": "on"])
        let error = #expect(throws: EpitopeError.self) { try open(own.connection(to: "postgres")) }
        #expect(error?.code.rawValue == "unreachable")
        // Not by the session's word either.
        let insisting = own.connection(to: "postgres") + " target_session_attrs=any"
        let second = #expect(throws: EpitopeError.self) { try open(insisting) }
        #expect(second?.code.rawValue == "notPrimary")
    }

    @Test func `the schema is made once, by whoever comes first, and one of a later version is refused`() async throws {
        let stores = try await withThrowingTaskGroup { group in
            for _ in 0..<4 { group.addTask { try open() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await add("a", to: stores[0])
        let older = EpitopeError(EpitopeError.Code("older"), "older", remedy: "none")
        let later = Self.migrations + [.init("2", "CREATE TABLE more ()")]
        let error = #expect(throws: EpitopeError.self) { try open(migrations: later, outdated: older) }
        #expect(error?.code.rawValue == "older")
        _ = try open(migrations: later)
        let refused = #expect(throws: EpitopeError.self) { try open() }
        #expect(refused?.code.rawValue == "damaged")
    }

    @Test func `a server of no such name is unreachable`() throws {
        let error = #expect(throws: EpitopeError.self) { try open("host=/nowhere dbname=none") }
        #expect(error?.code.rawValue == "unreachable")
    }
}

@Suite("Statements as SQLite reads them are made PostgreSQL's")
struct PlaceholdersTests {
    @Test(arguments: [
        ("SELECT ?, ?", "SELECT $1, $2"), ("SELECT ?2, ?1, ?", "SELECT $2, $1, $3"),
        ("SELECT '?', 'it''s ?', ?", "SELECT '?', 'it''s ?', $1"), ("a CROSS JOIN b ON b.x = ?12", "a JOIN b ON b.x = $12"), ("", ""),
    ])
    func `arguments are numbered, and what is quoted stays`(sql: String, expected: String) {
        #expect(Placeholders.numbered(sql) == expected)
    }
}
