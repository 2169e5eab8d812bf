// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Crypto
import EpitopeModel
import Foundation
import GRDB
import PacketCoding
import SQLiteStore
import SecureChannel
import Synchronization
import TestSupport
import Testing

@testable import CenterStore

@Suite("What comes in is appended: code once, a small row a report")
struct IngestTests {
    private let folder: TemporaryFolder
    private let store: CenterStore
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        store = try CenterStore(path: folder.path + "/center.sqlite", clock: clock.clock)
    }

    private static func packet(code seed: UInt8, number: Int, host: String) -> ExtractedPacket {
        var packet = Fixture.packet(attack: seed, number: number, host: host)
        packet.content = .code(
            ExtractedCode(base: 0x1000, bytes: (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* Int(seed)) }, isWholeRegion: true))
        return packet
    }

    private func add(code seed: UInt8, number: Int = 0, host: String = "host-1") async throws -> Receipt {
        let packet = try ReceivedPacket(Self.packet(code: seed, number: number, host: host))
        return try await store.add(Report(sender: Identity(role: .host, name: host), body: .packet(packet)))
    }

    private func number(_ sql: String) async throws -> Int? {
        try await store.snapshot { try Int.fetchOne($0.db, sql: sql) }
    }

    @Test func `one code of many hosts is one body, and each host's packet is read back as it came in`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<300 { group.addTask { _ = try await add(code: 3, number: number, host: "host-\(number)") } }
            try await group.waitForAll()
        }
        #expect(try await number("SELECT count(*) FROM bodies") == 1)
        let largest = try #require(try await number("SELECT max(length(packet)) FROM reports"))
        #expect(largest < 1500)
        for number in [0, 150, 299] {
            let packet = Self.packet(code: 3, number: number, host: "host-\(number)")
            #expect(try await store.packet(id: packet.id) == packet)
        }
    }

    @Test func `damaged code is joined with no packet that is offered, and comes anew`() async throws {
        let packet = Self.packet(code: 3, number: 2, host: "host-2")
        guard case .code(let code) = packet.content else { return }
        let digest = Array(SHA256.hash(data: code.bytes))
        _ = try await add(code: 3, number: 1)
        try await store.transaction { try $0.db.execute(sql: "UPDATE bodies SET bytes = zeroblob(8000)") }
        #expect(try await store.code(digest: digest) == nil)
        _ = try await add(code: 3, number: 2, host: "host-2")
        #expect(try await store.packet(id: packet.id) == packet)
        #expect(try await store.code(digest: digest) == code.bytes)
    }

    @Test func `code goes with the last report that has it`() async throws {
        _ = try await add(code: 3, number: 1)
        clock.advance(milliseconds: 20 * TestClock.day)
        _ = try await add(code: 3, number: 2)
        _ = try await add(code: 5, number: 3)
        try await store.transaction { transaction in
            for report in try transaction.waitingReports(limit: 9) { try transaction.markUnusable(report, reason: "test") }
        }
        clock.advance(milliseconds: 15 * TestClock.day)
        #expect(try await store.prune(olderThanDays: 30).packets == 1)
        #expect(try await number("SELECT count(*) FROM bodies") == 2)
        clock.advance(milliseconds: 20 * TestClock.day)
        #expect(try await store.prune(olderThanDays: 30).packets == 2)
        #expect(try await number("SELECT count(*) FROM bodies") == 0)
        #expect(try await number("SELECT count(*) FROM analyses") == 0)
    }

    @Test func `a host that sends one id with ever other code fills no disk`() async throws {
        let first = try await add(code: 3)
        for seed in 4...20 {
            var packet = Self.packet(code: UInt8(seed), number: 0, host: "host-1")
            packet.id = first.id
            #expect(
                try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packet)))).wasKnown)
        }
        #expect(try await number("SELECT count(*) FROM bodies") == 1)
    }

    @Test func `what is analysed leaves the row of its arrival as it was`() async throws {
        _ = try await add(code: 3)
        let row = "SELECT group_concat(quote(id) || quote(packet) || quote(body_id) || received_ms) FROM reports"
        let before = try await store.snapshot { try String.fetchOne($0.db, sql: row) }
        try await store.transaction { transaction in
            let cluster = try transaction.addCluster(of: Fixture.signature(attack: 1))
            for report in try transaction.waitingReports(limit: 9) {
                try transaction.markAnalysed(report, in: cluster.id, kinds: ["direct-call"])
            }
        }
        #expect(try await store.snapshot { try String.fetchOne($0.db, sql: row) } == before)
        #expect(try await store.status().reports == ["analysed": 1])
        #expect(try await number("SELECT count(*) FROM waiting_reports") == 0)
    }

    @Test func `code that is missing fails its report, and none behind it`() async throws {
        _ = try await add(code: 3, number: 1)
        _ = try await add(code: 5, number: 2)
        let reports = try await store.database.write { db in
            try db.execute(sql: "UPDATE reports SET body_at = 100000 WHERE seq = 1")
            return try StoreTransaction(db: StoreConnection(sqlite: db), clock: clock.clock).waitingReports(limit: 9)
        }
        #expect(throws: EpitopeError.self) { try reports[0].content.get() }
        #expect(throws: Never.self) { try reports[1].content.get() }
    }

    @Test func `code that reports have in common is found by its digest, and so many are kept in memory`() async throws {
        _ = try await add(code: 3)
        guard case .code(let code) = Self.packet(code: 3, number: 0, host: "host-1").content else { return }
        #expect(try await store.code(digest: Array(SHA256.hash(data: code.bytes))) == code.bytes)
        #expect(try await store.code(digest: Array(SHA256.hash(data: code.bytes.dropLast()))) == nil)
        #expect(try await store.code(digest: []) == nil)
        let known = KnownBodies()
        for number in 0..<1000 { known.add([1], [UInt8(number >> 8), UInt8(number & 255)]) }
        #expect(known.count <= 2 * KnownBodies.max)
        #expect(known.find([UInt8(3), 231]) == [1])
    }

    @Test func `a report that can't be stored fails by itself`() async throws {
        try await store.transaction { transaction in
            try transaction.db.execute(
                sql: """
                    CREATE TRIGGER bad BEFORE INSERT ON reports WHEN new.name = 'bad' BEGIN SELECT RAISE(ABORT, 'test'); END
                    """)
        }
        let stored = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<40 {
                group.addTask { (try? await add(code: 3, number: number, host: number == 20 ? "bad" : "host-\(number)")) != nil }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(stored.count { $0 } == 39)
        #expect(try await number("SELECT count(*) FROM reports") == 39)
    }

    /// No step of a packet's way in, nor of the look for what waits, takes longer in a store that holds more.
    @Test func `every statement of a packet's way in looks up by key`() async throws {
        _ = try await add(code: 3, number: 1)
        let seen = Mutex<[String]>([])
        try await store.database.pool.writeWithoutTransaction { db in
            db.trace { event in seen.withLock { $0.append(event.expandedDescription) } }
        }
        _ = try await add(code: 3, number: 2)
        _ = try await add(code: 5, number: 3)
        _ = try await add(code: 5, number: 3)
        let statements = Set(seen.withLock { $0 }).filter { sql in ["SELECT", "INSERT", "UPDATE", "DELETE"].contains { sql.hasPrefix($0) } }
        #expect(statements.count >= 6)
        for sql in statements { #expect(try await plan(sql).allSatisfy { !$0.contains("SCAN") }, "\(sql)") }
    }

    @Test func `what waits is found without those that don't`() async throws {
        let waiting = StoredReport.selectWaiting.replacing("?", with: "10")
        let steps = try await plan(waiting)
        #expect(steps.first == "SCAN w USING COVERING INDEX waiting_turns" && steps.count == 3, "the queue in its order, up to the limit")
        for step in steps.dropFirst() { #expect(step.contains("USING INTEGER PRIMARY KEY"), "\(step)") }
    }

    @Test func `reporters take turns to be analysed, however many wait of one`() async throws {
        func waiting() async throws -> [String] {
            let reports = try await store.snapshot { try $0.waitingReports(limit: 4) }
            return reports.map(\.reporter)
        }
        for number in 0..<40 { _ = try await add(code: 3, number: number, host: "flood") }
        for number in 0..<2 { _ = try await add(code: 5, number: number, host: "one") }
        _ = try await add(code: 7, host: "other")
        #expect(try await waiting() == ["host:flood", "host:one", "host:other", "host:flood"])
        // What is analysed is behind those who come then.
        try await store.transaction { transaction in
            let reports = try transaction.waitingReports(limit: 20)
            store.began(reports)
            for report in reports { try transaction.markUnusable(report, reason: "test") }
        }
        _ = try await add(code: 7, number: 1, host: "late")
        #expect(try await waiting().prefix(2) == ["host:flood", "host:late"])
        // A center that starts anew knows the turns that wait.
        let again = try CenterStore(path: store.path, clock: clock.clock)
        let packet = try ReceivedPacket(Self.packet(code: 9, number: 0, host: "later"))
        _ = try await again.add(Report(sender: Identity(role: .host, name: "later"), body: .packet(packet)))
        #expect(try await waiting().prefix(4).contains("host:later"))
    }

    @Test func `the turns of reporters of long ago take no memory`() {
        let turns = ReportTurns()
        var given: [Int64] = []
        for number in 0..<50_000 as Range<Int64> {
            given.append(turns.next(of: "host:\(number)", first: { 7 }))
            turns.reached(number)
        }
        #expect(given.first == 8 && given.last == 49_999 && turns.count < 9000)
    }

    private func plan(_ sql: String) async throws -> [String] {
        try await store.snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "EXPLAIN QUERY PLAN \(sql)").map { $0["detail"] }
        }
    }
}
