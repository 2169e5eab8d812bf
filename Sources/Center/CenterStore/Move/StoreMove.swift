// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
import PostgresStore
import SQLiteStore

/// A store's way from its file into a PostgreSQL database, with everything that is in it.
extension CenterStore {
    /// Copies this store, which is a file, into one in PostgreSQL that holds nothing but what a center writes when it is made. All of it is
    /// there in the end, or nothing: it is one transaction. One that was made, and was not heard of, is told by a mark, and not made again.
    ///
    /// - Parameters:
    ///   - target: in PostgreSQL.
    ///   - onTable: told of each table before it is copied, with its number of rows.
    /// - Returns: how many rows each table had.
    /// - Throws: `store-not-empty`; `store-unusable` where this is no file.
    public func copy(
        to target: CenterStore, onTable: @escaping @Sendable (_ table: String, _ rows: Int) -> Void = { _, _ in }
    ) async throws(EpitopeError) -> [String: Int] {
        guard case .sqlite(let source) = database, case .postgres = target.database else {
            throw EpitopeError(
                .storeUnusable, "a store is moved from a file into a PostgreSQL database alone",
                remedy: "name a database in the setting store.postgresql")
        }
        let pool = source.pool
        let name = try await transaction { transaction in
            let name = try transaction.mark(.storeName) ?? UUID().uuidString
            try transaction.setMark(.storeName, name)
            return name
        }
        return try await target.database.write(telling: .decisions) { connection in
            try pool.read { file in
                let moved = try Self.state(of: file, named: name)
                let counts = try StoreTables.all.map { table in
                    (table, try Int.fetchOne(file, sql: "SELECT count(*) FROM \(table.name)") ?? 0)
                }
                if try StoreTransaction(db: connection, clock: .system).mark(.moved) != moved {
                    try StoreTables.requireNoWork(in: connection)
                    for (table, rows) in counts {
                        onTable(table.name, rows)
                        try table.copy(from: file, to: connection)
                    }
                    try StoreTransaction(db: connection, clock: .system).setMark(.moved, moved)
                }
                return Dictionary(uniqueKeysWithValues: counts.map { ($0.name, $1) })
            }
        }
    }

    /// Which store it is, and how far it has come: every decision has an event, and every packet a number.
    private static func state(of file: Database, named name: String) throws -> String {
        let events = try Int64.fetchOne(file, sql: "SELECT max(seq) FROM events") ?? 0
        let reports = try Int64.fetchOne(file, sql: "SELECT max(seq) FROM reports") ?? 0
        return "\(name) events \(events) reports \(reports)"
    }
}

/// The tables of a store.
enum StoreTables {
    /// In an order in which each comes after those that it refers to.
    static let all: [StoreTable] = [
        StoreTable("bodies", number: "id"), StoreTable("reports", number: "seq"), StoreTable("waiting_reports"),
        StoreTable("clusters", number: "id"), StoreTable("analyses"), StoreTable("evidence"), StoreTable("counted_packets"),
        StoreTable("cluster_sums"), StoreTable("proofs"), StoreTable("rules", number: "id"), StoreTable("updates", number: "id"),
        StoreTable("deliveries", number: "id"), StoreTable("withdrawals"), StoreTable("overruled"), StoreTable("feed", number: "sequence"),
        StoreTable("forwards", number: "id"), StoreTable("quota_uses"), StoreTable("quota_queue"), StoreTable("tokens"),
        StoreTable("revocations"), StoreTable("certificates"), StoreTable("sightings"), StoreTable("peers"), StoreTable("withheld"),
        StoreTable("group_tokens"), StoreTable("group_token_uses"), StoreTable("agent_parts"),
        StoreTable("agent_versions"), StoreTable("agent_orders"), StoreTable("agent_hosts"),
        StoreTable("notices", number: "id"), StoreTable("notice_windows"), StoreTable("notice_destinations"), StoreTable("marks"),
        StoreTable("events", number: "seq"), StoreTable("audit"), StoreTable("approvals"), StoreTable("pins"), StoreTable("allowances"),
    ]

    /// Those that only a center's work fills. A center that was made, and asked for its status, has the others.
    static let ofACenterAtWork = all.filter { !["marks", "events", "audit"].contains($0.name) }

    /// - Throws: `store-not-empty`.
    static func requireNoWork(in connection: StoreConnection) throws {
        for table in ofACenterAtWork {
            guard try !table.isEmpty(in: connection) else { continue }
            throw EpitopeError(
                .storeNotEmpty, "the database holds a center's work already: there are rows in epitope.\(table.name)",
                remedy:
                    "name a new database, or empty this one (`DROP SCHEMA epitope CASCADE`) if nobody has served from it: then it may be that "
                    + "of a move that was killed, after which the center went on with its file")
        }
    }

    /// Of a database alone: who does the work, and whether revocations changed. They are not copied.
    static let ofADatabaseAlone: Set = ["work_lease", "revocation_state"]
}

/// A table that has the same columns in a file and in a database.
struct StoreTable: Sendable {
    let name: String
    /// The column of the numbers that the table gives out itself; `nil`: it has none.
    private let number: String?

    /// How many rows go to the server at a time.
    private static let batch = 50

    init(_ name: String, number: String? = nil) { (self.name, self.number) = (name, number) }

    func isEmpty(in connection: StoreConnection) throws -> Bool {
        try Bool.fetchOne(connection, sql: "SELECT EXISTS (SELECT 1 FROM \(name))") != true
    }

    /// Puts the rows of a file in the place of those of a database.
    func copy(from file: Database, to connection: StoreConnection) throws {
        try connection.execute(sql: "DELETE FROM \(name)")
        let columns = try Self.columns(of: name, in: connection)
        let names = columns.map(\.name).joined(separator: ", ")
        let row = "(\(columns.map { _ in "?" }.joined(separator: ", ")))"
        func insertion(_ rows: Int) -> String {
            "INSERT INTO \(name) (\(names)) VALUES \(Array(repeating: row, count: rows).joined(separator: ", "))"
        }
        // An update refers to the later one that took its place, which has to be there first.
        let order = number.map { " ORDER BY \($0) DESC" } ?? ""
        let rows = try Row.fetchCursor(file, sql: "SELECT \(names) FROM \(name)\(order)")
        var waiting: [[DatabaseValue]] = []
        while let next = try rows.next() {
            waiting.append(zip(columns, next.databaseValues).map { $0.value($1) })
            guard waiting.count == Self.batch else { continue }
            try connection.execute(
                sql: insertion(Self.batch), arguments: StoreArguments(waiting.joined().map { $0 as any DatabaseValueConvertible }))
            waiting.removeAll(keepingCapacity: true)
        }
        for values in waiting {
            try connection.execute(sql: insertion(1), arguments: StoreArguments(values.map { $0 as any DatabaseValueConvertible }))
        }
        if let number { try follow(number, of: file, in: connection) }
    }

    /// Has the database go on to number rows after the last one that the file has given out, which may be gone from it.
    private func follow(_ column: String, of file: Database, in connection: StoreConnection) throws {
        let highest = try Int64.fetchOne(file, sql: "SELECT max(\(column)) FROM \(name)") ?? 0
        let isCounted = try file.tableExists("sqlite_sequence")
        let given = isCounted ? try Int64.fetchOne(file, sql: "SELECT seq FROM sqlite_sequence WHERE name = ?", arguments: [name]) ?? 0 : 0
        let last = max(highest, given)
        guard last > 0 else { return }
        _ = try Int64.fetchOne(
            connection, sql: "SELECT setval(pg_get_serial_sequence('epitope.\(name)', '\(column)'), CAST(? AS BIGINT))", arguments: [last])
    }

    /// A column, and what it takes.
    private struct Column {
        var name: String
        var type: String
        private var isBytes: Bool { type == "bytea" }

        /// SQLite's columns hold what was put in them, whatever they were made for.
        func value(_ value: DatabaseValue) -> DatabaseValue {
            switch value.storage {
            case .string(let text) where isBytes: Data(text.utf8).databaseValue
            case .blob(let bytes) where !isBytes: String(decoding: bytes, as: UTF8.self).databaseValue
            case .double(let number) where type == "bigint": Int64(number.rounded()).databaseValue
            default: value
            }
        }
    }

    private static func columns(of table: String, in connection: StoreConnection) throws -> [Column] {
        try Row.fetchAll(
            connection,
            sql: """
                SELECT CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS type FROM information_schema.columns
                WHERE table_schema = 'epitope' AND table_name = ? ORDER BY ordinal_position
                """,
            arguments: [table]
        ).map { Column(name: $0["name"], type: $0["type"]) }
    }
}
