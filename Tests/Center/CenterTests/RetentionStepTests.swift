// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Glibc
import PacketCoding
import SQLiteStore
import Synchronization
import TestSupport
import Testing

@testable import CenterStore

/// What is removed at once holds up whoever has a packet to store.
@Suite("Old data goes, and its room is given back, in small steps", .enabled(if: TestStore.isFile))
struct RetentionStepTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
    }

    /// How many rows each transaction changed.
    private final class Steps: TransactionObserver, Sendable {
        private let counts = Mutex<[Int]>([0])

        var ofEach: [Int] { counts.withLock { Array($0.dropLast()) } }

        func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
        func databaseDidChange(with event: DatabaseEvent) { counts.withLock { $0[$0.count - 1] += 1 } }
        func databaseDidCommit(_ db: Database) { counts.withLock { $0.append(0) } }
        func databaseDidRollback(_ db: Database) {}
    }

    private func pragma(_ name: String) async throws -> Int {
        try await store.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA \(name)") ?? 0 }
    }

    /// Adds packets with 8,000 bytes of code each.
    private func addPackets(_ numbers: Range<Int>) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for number in numbers {
                group.addTask {
                    var packet = Fixture.packet(attack: 1, number: number)
                    let code = (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* (number + 1)) }
                    packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
                    _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packet))))
                }
            }
        }
    }

    @Test func `no transaction removes more than a thousand rows`() async throws {
        try await store.transaction { transaction in
            for number in 0..<2500 { try transaction.record(.weighed, "packet \(number)", "1 of 100 points") }
        }
        clock.advance(milliseconds: 31 * TestClock.day)
        let steps = Steps()
        try store.pool.add(transactionObserver: steps, extent: .databaseLifetime)
        try await store.prune(olderThanDays: 30)
        #expect(steps.ofEach.filter { $0 > 0 } == [1000, 1000, 500])
        #expect(try await store.events().isEmpty)
    }

    @Test func `the room of what was removed is given back but for what is kept, and everything else stays`() async throws {
        try await addPackets(0..<200)
        try await store.transaction { transaction in
            try transaction.db.execute(
                sql: """
                    DELETE FROM waiting_reports; DELETE FROM reports WHERE seq <= 190;
                    DELETE FROM bodies WHERE id NOT IN (SELECT body_id FROM reports)
                    """)
        }
        let (free, page) = (try await pragma("freelist_count"), try await pragma("page_size"))
        let kept = 100
        try #require(free > kept + 200)
        let steps = Steps()
        try store.pool.add(transactionObserver: steps, extent: .databaseLifetime)
        let given = try await store.giveBackRoom(keeping: Int64(kept * page))
        #expect(given == Int64((free - kept) * page))
        let least = (free - kept + 63) / 64
        #expect(least...(least + 1) ~= steps.ofEach.count, "a step moves 64 pages at most, and the last may find none")
        #expect(try await pragma("freelist_count") == kept)
        #expect(try await store.giveBackRoom(keeping: Int64(kept * page)) == 0)

        _ = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        let pages = try await pragma("page_count")
        #expect(try size() == Int64(pages * page))
        #expect(try await store.snapshot { try String.fetchAll($0.db, sql: "PRAGMA integrity_check") } == ["ok"])
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM reports") } == 10)
        try await addPackets(200..<201)
    }

    private func size() throws -> Int64 {
        var status = stat()
        try #require(stat(store.path, &status) == 0)
        return Int64(status.st_size)
    }

    @Test func `a store that an earlier version made keeps its length, and works`() async throws {
        let old = folder.path + "/old.sqlite"
        do {
            let queue = try DatabaseQueue(path: old)
            try Schema.migrator.migrate(queue)
            try queue.close()
        }
        let store = try TestStore.open(path: old, clock: clock.clock)
        try await store.transaction { transaction in
            for number in 0..<2000 { try transaction.record(.weighed, "packet \(number)", String(repeating: "1", count: 900)) }
        }
        try await store.transaction { try $0.db.execute(sql: "DELETE FROM events") }
        #expect(try await store.giveBackRoom(keeping: 0) == 0)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1)))))
    }
}
