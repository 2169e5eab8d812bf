// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import GRDB
import PacketCoding
import PostgresStore
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis
@testable import CenterStore

@Suite("A store goes from its file into a database with everything that is in it", .serialized)
struct StoreMoveTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()

    init() throws { folder = try TemporaryFolder() }

    private var path: String { folder.path + "/center.sqlite" }

    /// An empty database, with the store's schema.
    private func database() throws -> CenterStore {
        try CenterStore(
            postgresql: PostgresServer.shared.get().makeDatabase(), path: folder.path + "/other/center.sqlite", clock: clock.clock)
    }

    private static func tables(_ store: CenterStore) async throws -> Set<String> {
        let sql: String
        switch store.database {
        case .sqlite: sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'grdb_%'"
        case .postgres:
            sql =
                "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'epitope' AND tablename NOT IN ('migrations', 'one_writer')"
        }
        return try await Set(store.snapshot { try String.fetchAll($0.db, sql: sql) })
    }

    /// The rows of a table as text, in the order of their text.
    private static func rows(of table: String, _ columns: [String], in store: CenterStore) async throws -> [String] {
        try await store.snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "SELECT \(columns.joined(separator: ", ")) FROM \(table)").map { row in
                columns.map { column in
                    switch (row[column] as DatabaseValue).storage {
                    case .int64(let number): "\(Double(number))"
                    case .double(let number): "\(number)"
                    case .blob(let bytes): Hex.encode(Array(bytes))
                    case .string(let text): text
                    case .null: "-"
                    }
                }.joined(separator: "|")
            }.sorted()
        }
    }

    private static func columns(of table: String, in store: CenterStore) async throws -> [String] {
        try await store.snapshot { try String.fetchAll($0.db, sql: "SELECT name FROM pragma_table_info('\(table)')") }.sorted()
    }

    @Test func `every table of both schemas is copied, or is the database's own`() async throws {
        let (file, database) = (try CenterStore(path: path), try database())
        let copied = Set(StoreTables.all.map(\.name))
        #expect(try await Self.tables(file) == copied)
        #expect(try await Self.tables(database) == copied.union(StoreTables.ofADatabaseAlone))
        for table in StoreTables.all {
            let inDatabase = try await database.snapshot { transaction in
                try String.fetchAll(
                    transaction.db,
                    sql: """
                        SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                        WHERE table_schema = 'epitope' AND table_name = ?
                        """, arguments: [table.name])
            }
            #expect(try await Self.columns(of: table.name, in: file) == inDatabase.sorted(), "\(table.name)")
        }
    }

    @Test func `each row is there, and the next ones get the next numbers`() async throws {
        let file = try CenterStore(path: path, clock: clock.clock)
        let analyst = ReportAnalyst(
            store: file, policy: AnalysisPolicy(threshold: .init(), targets: [.ids, .global], forwards: .all, lifetimeDays: 90),
            provers: Fixture.provers)
        for number in 0..<120 {
            _ = try await file.add(
                Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: UInt8(number % 7 + 1), number: number)))))
        }
        // A busy machine makes the proofs in several turns.
        let withdrawn = Fixture.signature(attack: 2).id
        try await eventually("an update") {
            _ = try await analyst.analyse()
            return try await file.status().latestUpdates.contains { $0.signatureID == withdrawn }
        }
        try await file.withdraw(signatureID: withdrawn, reason: "a test")
        // Its number is given out, and it is gone.
        let last = try await file.snapshot { try Int64.fetchOne($0.db, sql: "SELECT max(seq) FROM reports") ?? 0 }
        try await file.transaction { try $0.db.execute(sql: "DELETE FROM reports WHERE seq = (SELECT max(seq) FROM reports)") }

        let database = try database()
        let counts = try await file.copy(to: database)
        #expect(counts["reports"] == 119 && (counts["updates"] ?? 0) > 0 && (counts["forwards"] ?? 0) > 0, "\(counts)")
        // It says where it came from, which the file doesn't.
        #expect(try await database.transaction { try $0.mark(.moved) }?.hasSuffix(" reports \(last - 1)") == true)
        try await database.transaction { try $0.removeMark(.moved) }
        for table in StoreTables.all {
            let columns = try await Self.columns(of: table.name, in: file)
            let before = try await Self.rows(of: table.name, columns, in: file)
            #expect(try await Self.rows(of: table.name, columns, in: database) == before, "\(table.name)")
            #expect(before.count == counts[table.name], "\(table.name)")
        }
        let audit = try await database.verifyAudit(noted: try await file.auditHead())
        #expect(audit.broken == nil && audit.head.sequence > 1, "the chain is as it was")
        #expect(try await database.status().latestUpdates.map(\.signatureID) == file.status().latestUpdates.map(\.signatureID))
        _ = try await database.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1, number: 500)))))
        let next = try await database.snapshot { try Int64.fetchOne($0.db, sql: "SELECT max(seq) FROM reports") ?? 0 }
        #expect(next > last, "\(next) after \(last)")
    }

    @Test func `a move that was killed once all was there is told, and what came into the file since is not passed over`() async throws {
        let (file, database) = (try CenterStore(path: path, clock: clock.clock), try database())
        func add(_ attack: UInt8, to store: CenterStore) async throws {
            _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: attack)))))
        }
        try await add(1, to: file)
        let counts = try await file.copy(to: database)
        #expect(try await file.copy(to: database) == counts, "of which nobody heard")
        // Another machine may serve from it.
        try await add(2, to: database)
        #expect(try await file.copy(to: database) == counts)
        #expect(try await database.status().reports.values.reduce(0, +) == 2)
        // The center went on with its file.
        try await add(3, to: file)
        #expect(await #expect(throws: EpitopeError.self) { try await file.copy(to: database) }?.code == .storeNotEmpty)
        #expect(try await database.status().reports.values.reduce(0, +) == 2)
    }

    @Test func `a database that a center works in is left as it is, and so is one where the copy fails`() async throws {
        let (file, database) = (try CenterStore(path: path, clock: clock.clock), try database())
        let report = try Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1))))
        _ = try await file.add(report)
        _ = try await database.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 2)))))
        let error = await #expect(throws: EpitopeError.self) { try await file.copy(to: database) }
        #expect(error?.code == .storeNotEmpty)
        #expect(try await database.status().reports.values.reduce(0, +) == 1)

        let other = try self.database()
        // One of the last tables takes nothing that the file has.
        try await other.transaction { try $0.db.execute(sql: "ALTER TABLE events ADD COLUMN unknown BIGINT") }
        await #expect(throws: EpitopeError.self) { try await file.copy(to: other) }
        #expect(try await other.status().reports.isEmpty)
        await #expect(throws: EpitopeError.self) { try await other.copy(to: file) }
    }
}
