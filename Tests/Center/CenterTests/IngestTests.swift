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
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
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
        try await store.transaction { try $0.db.execute(sql: "UPDATE bodies SET bytes = ?", arguments: [Data(count: 8000)]) }
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
        func rows() async throws -> [[DatabaseValue]] {
            try await store.snapshot { transaction in
                try Row.fetchAll(transaction.db, sql: "SELECT id, packet, body_id, received_ms FROM reports ORDER BY seq").map { row in
                    ["id", "packet", "body_id", "received_ms"].map { row[$0] }
                }
            }
        }
        let before = try await rows()
        try await store.transaction { transaction in
            let cluster = try transaction.addCluster(of: Fixture.signature(attack: 1))
            for report in try transaction.waitingReports(limit: 9) {
                try transaction.markAnalysed(report, in: cluster.id, kinds: ["direct-call"])
            }
        }
        #expect(try await rows() == before)
        #expect(try await store.status().reports == ["analysed": 1])
        #expect(try await number("SELECT count(*) FROM waiting_reports") == 0)
    }

    @Test func `code that is missing fails its report, and none behind it`() async throws {
        _ = try await add(code: 3, number: 1)
        _ = try await add(code: 5, number: 2)
        let reports = try await store.transaction { transaction in
            try transaction.db.execute(sql: "UPDATE reports SET body_at = 100000 WHERE seq = 1")
            return try transaction.waitingReports(limit: 9)
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
        try await TestStore.refuse("INSERT", on: "reports", when: "NEW.name = 'bad'", at: folder.path + "/center.sqlite")
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
    @Test(.enabled(if: TestStore.isFile)) func `every statement of a packet's way in looks up by key`() async throws {
        _ = try await add(code: 3, number: 1)
        let seen = Mutex<[String]>([])
        try await store.pool.writeWithoutTransaction { db in
            db.trace { event in seen.withLock { $0.append(event.expandedDescription) } }
        }
        _ = try await add(code: 3, number: 2)
        _ = try await add(code: 5, number: 3)
        _ = try await add(code: 5, number: 3)
        let statements = Set(seen.withLock { $0 }).filter { sql in ["SELECT", "INSERT", "UPDATE", "DELETE"].contains { sql.hasPrefix($0) } }
        #expect(statements.count >= 6)
        for sql in statements { #expect(try await plan(sql).allSatisfy { !$0.contains("SCAN") }, "\(sql)") }
    }

    @Test(.enabled(if: TestStore.isFile)) func `what waits is found without those that don't`() async throws {
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
        let again = try TestStore.open(path: store.path, clock: clock.clock)
        let packet = try ReceivedPacket(Self.packet(code: 9, number: 0, host: "later"))
        _ = try await again.add(Report(sender: Identity(role: .host, name: "later"), body: .packet(packet)))
        #expect(try await waiting().prefix(4).contains("host:later"))
    }

    private func send(_ number: Int, by host: String, from address: String) async throws {
        var packet = try ReceivedPacket(Self.packet(code: 3, number: number, host: host))
        packet.source = IPAddress(address)
        _ = try await store.add(Report(sender: Identity(role: .host, name: host), body: .packet(packet)))
    }

    @Test func `neither many names on one machine nor one name on many machines have more than one's turns`() async throws {
        for number in 0..<20 { try await send(number, by: "name-\(number)", from: "2001:db8::\(number)") }
        for number in 20..<40 { try await send(number, by: "roamer", from: "192.0.2.\(number)") }
        try await send(40, by: "other", from: "198.51.100.1")
        let waiting = try await store.snapshot { try $0.waitingReports(limit: 6) }.map(\.reporter)
        #expect(waiting == ["host:name-0", "host:roamer", "host:other", "host:name-1", "host:roamer", "host:name-2"])
    }

    @Test func `many names on one machine are held back as one`() async throws {
        func time(_ number: Int, by host: String, from address: String) async throws -> Duration {
            let begun = ContinuousClock.now
            try await send(number, by: host, from: address)
            return ContinuousClock.now - begun
        }
        try await send(0, by: "name-0", from: "192.0.2.1")
        store.turns.reached(0)
        for number in 1...50 { try await send(number, by: "name-\(number)", from: "192.0.2.1") }
        store.turns.reached(0)
        #expect(try await time(51, by: "name-51", from: "192.0.2.1") > .milliseconds(500))
        store.turns.reached(0)
        #expect(try await time(52, by: "other", from: "192.0.2.2") < .milliseconds(500))
    }

    @Test func `sites of one network are one reporter`() async throws {
        for number in 0..<20 {
            let site = Identity(role: .localCenter, name: "site-\(number)")
            try await store.noteSource(of: site, address: "192.0.2.\(number)")
            _ = try await store.add(Report(sender: site, body: .update(Fixture.update(attack: UInt8(number)))))
        }
        let other = Identity(role: .localCenter, name: "other")
        try await store.noteSource(of: other, address: "198.51.100.1")
        _ = try await store.add(Report(sender: other, body: .update(Fixture.update(attack: 30))))
        let waiting = try await store.snapshot { try $0.waitingReports(limit: 3) }.map(\.reporter)
        #expect(waiting == ["local-center:site-0", "local-center:other", "local-center:site-1"])
    }

    @Test func `the turns of reporters of long ago take no memory`() {
        let turns = ReportTurns()
        var given: [Int64] = []
        for number in 0..<50_000 as Range<Int64> {
            given.append(turns.next(of: ["host:\(number)"], first: { 7 }))
            turns.reached(number)
        }
        #expect(given.first == 8 && given.last == 49_999 && turns.count < 9000)
    }

    @Test func `who sends more than the analysis can do is held back, and nobody else`() {
        let turns = ReportTurns()
        let start = ContinuousClock.now
        func next(_ name: String) -> Int64 { turns.next(of: [name], first: { 0 }) }
        for _ in 0..<100 { _ = next("host:flood") }
        #expect(!turns.isAhead(["host:flood"], now: start), "nobody knows yet whether there is an analysis")
        // Twenty turns a second.
        for step in 1...20 { turns.reached(Int64(step), now: start + .milliseconds(50 * step)) }
        let now = start + .seconds(1)
        #expect(turns.isAhead(["host:flood"], now: now))
        for _ in 0..<4 { _ = next("host:other") }
        #expect(!turns.isAhead(["host:other"], now: now) && !turns.isAhead(["host:fresh"], now: now))
        // Of twenty turns a second, a tenth of a second's are as good as none.
        turns.reached(98, now: now + .milliseconds(100))
        #expect(!turns.isAhead(["host:flood"], now: now + .milliseconds(100)))
        for _ in 0..<600 { _ = next("host:flood") }
        #expect(turns.isAhead(["host:flood"], now: now + .milliseconds(200)))
        #expect(!turns.isAhead(["host:flood"], now: now + .seconds(2)), "an analysis that stands still holds nobody back")
    }

    @Test func `what is held back is stored, whatever the analysis does`() async throws {
        _ = try await add(code: 3, number: 0, host: "flood")
        store.turns.reached(0)
        for number in 1...50 { _ = store.turns.next(of: ["host:flood"], first: { Int64(number) }) }
        #expect(store.turns.isAhead(["host:flood"]))
        _ = try await add(code: 5, number: 1, host: "flood")
        #expect(try await number("SELECT count(*) FROM reports") == 2)
    }

    private func plan(_ sql: String) async throws -> [String] {
        try await store.snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "EXPLAIN QUERY PLAN \(sql)").map { $0["detail"] }
        }
    }
}
