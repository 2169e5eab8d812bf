// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import FileAccess
import Foundation
import GRDB
import PacketCoding
import Rendering
import SQLiteStore
import Scheduling
import SecureChannel
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterStore

@Suite("The store acknowledges only what is committed")
struct StoreTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/state/center.sqlite"
    }

    private func report(_ packet: ExtractedPacket) throws(EpitopeError) -> Report {
        Report(
            sender: Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1"),
            body: .packet(try ReceivedPacket(packet)))
    }

    @Test func `a packet is stored once however often it is sent`() async throws {
        let clock = TestClock()
        let store = try TestStore.open(path: path, clock: clock.clock)
        let first = try await store.add(report(Samples.packet()))
        clock.advance(milliseconds: 5)
        let second = try await store.add(report(Samples.packet()))
        #expect(!first.wasKnown)
        #expect(second == Receipt(id: first.id, storedMilliseconds: first.storedMilliseconds, wasKnown: true))
        #expect(try await store.status().reports == ["stored": 1])
    }

    @Test func `an acknowledged packet is there after the store is reopened`() async throws {
        do {
            let store = try TestStore.open(path: path)
            _ = try await store.add(report(Samples.packet()))
            try store.close()
        }
        let again = try await TestStore.open(path: path).add(report(Samples.packet()))
        #expect(again.wasKnown)
    }

    @Test func `many at once are all stored`() async throws {
        let store = try TestStore.open(path: path)
        let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
            for number in 0..<600 {
                group.addTask { try await store.add(report(Fixture.packet(attack: 1, number: number))) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(receipts.map(\.id)).count == 600)
        #expect(try await store.status().reports == ["stored": 600])
    }

    @Test(.enabled(if: TestStore.isFile)) func `commits are synced and the files are the owner's alone`() async throws {
        let store = try TestStore.open(path: path)
        let full = 2
        #expect(try await store.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == full)
        let log = try await store.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA wal_autocheckpoint") }
        #expect(log == 4000)
        _ = try await store.add(report(Samples.packet()))
        for name in [path, path + "-wal", path + "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: name)
            #expect((attributes[.posixPermissions] as? Int ?? 0) & 0o777 == 0o600, "\(name)")
        }
    }

    @Test(.enabled(if: TestStore.isFile, "a database's disk is its server's: make failover fills one"))
    func `a full disk is reported and loses nothing acknowledged`() async throws {
        // An empty one takes some 300,000; each packet's code is its own, which is stored once else.
        let store = try TestStore.open(path: path, maxBytes: 500_000)
        var acknowledged: [ExtractedPacket] = []
        var refusal: EpitopeError?
        for number in 0..<200 where refusal == nil {
            var packet = Fixture.packet(attack: 2, number: number)
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: [UInt8](repeating: UInt8(number), count: 8192), isWholeRegion: true))
            do {
                _ = try await store.add(report(packet))
                acknowledged.append(packet)
            } catch {
                refusal = error
            }
        }
        #expect(refusal?.code == EpitopeError.Code("disk-full"))
        #expect(!acknowledged.isEmpty)
        for packet in acknowledged { #expect(try await store.add(report(packet)).wasKnown) }
    }

    @Test(.enabled(if: TestStore.isFile)) func `a damaged file is refused`() async throws {
        let broken = folder.path + "/broken.sqlite"
        try Data("this is no database, however long it may be looked at ".utf8).write(to: URL(filePath: broken))
        let error = #expect(throws: EpitopeError.self) { try TestStore.open(path: broken) }
        #expect(error?.code == .storeUnusable)
    }

    @Test(.enabled(if: TestStore.isFile, "a database is no file of ours"))
    func `a file that was overwritten is refused`() async throws {
        do {
            let store = try TestStore.open(path: path)
            for number in 0..<50 { _ = try await store.add(report(Fixture.packet(attack: 1, number: number))) }
            _ = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try store.pool.close()
        }
        let file = try FileHandle(forUpdating: URL(filePath: path))
        let length = Int(try file.seekToEnd())
        try file.seek(toOffset: 100)
        try file.write(contentsOf: Data(repeating: 0xa5, count: length - 100))
        try file.close()
        let error = await #expect(throws: EpitopeError.self) {
            _ = try await TestStore.open(path: path).add(report(Fixture.packet(attack: 1, number: 51)))
        }
        #expect(error?.code == .storeUnusable)
    }

    @Test(.enabled(if: TestStore.isFile, "a database's bound is tested with its statistics (CentersOverOneDatabaseTests)"))
    func `where reports take as much room as they may no further is stored, and everything else is`() async throws {
        let store = try TestStore.open(path: path, reportRoom: ReportRoom(maxBytes: 1 << 20))
        var refusal: EpitopeError?
        for number in 0..<400 where refusal == nil {
            var packet = Fixture.packet(attack: 1, number: number)
            let code = (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* (number + 1)) }
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
            do { _ = try await store.add(report(packet)) } catch { refusal = error }
        }
        #expect(refusal?.code == .diskFull && refusal?.message.contains("1 MB") == true && refusal?.isFinalForMessage == false)
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        #expect(try await store.isRevoked(Fixture.host, issuedMilliseconds: 10))
        // With room that was freed it goes on.
        try await store.transaction { try $0.db.execute(sql: "DELETE FROM waiting_reports") }
        try await store.transaction { try $0.db.execute(sql: "DELETE FROM reports") }
        try await store.transaction { try $0.db.execute(sql: "DELETE FROM bodies") }
        #expect(try await !store.add(report(Fixture.packet(attack: 2, number: 1000))).wasKnown)
    }

    @Test(
        arguments: [
            (1000, 99, 100, nil), (1000, 49, 100, 50), (1000, 50, 100, nil), (1 << 20, 99, 100, 100), (1 << 20, 100, 100, nil),
            (1000, 0, 0, nil),
        ] as [(Int64, Int64, Int64, Int64?)])
    func `a part of the disk is kept for other than reports`(_ total: Int64, _ available: Int64, _ setting: Int64, _ kept: Int64?) {
        let room = ReportRoom(keptFreeBytes: setting << 20)
        let disk = FileSystemRoom(availableBytes: available << 20, totalBytes: total << 20)
        let refusal = refusal(room, disk)
        #expect(refusal?.code == kept.map { _ in EpitopeError.Code.diskFull })
        #expect(
            refusal?.message
                == kept.map { "the disk of the store /x has \(available) MB free, and \($0) MB are kept for other than reports" })
    }

    @Test func `the log of a store counts as much room again, once it is longer than usual`() {
        let room = ReportRoom(keptFreeBytes: 100 << 20)
        let disk = FileSystemRoom(availableBytes: 400 << 20, totalBytes: 10_000 << 20)
        func refusal(_ megabytes: Int64) -> EpitopeError? { self.refusal(room, disk, logBytes: megabytes << 20) }
        #expect(refusal(17) == nil && refusal(300) == nil)
        #expect(refusal(301)?.code == .diskFull && refusal(301)?.message.contains("/x-wal is 301 MB long") == true)
        let small = FileSystemRoom(availableBytes: 5 << 20, totalBytes: 56 << 20)
        #expect(self.refusal(room, small, logBytes: 17 << 20) == nil)
    }

    /// Why there is no room for another report in the store `/x`.
    private func refusal(_ room: ReportRoom, _ disk: FileSystemRoom, logBytes: Int64 = 0) -> EpitopeError? {
        do throws(EpitopeError) {
            try room.requireFree(room.keptBytes(of: disk), of: disk, path: "/x", logBytes: logBytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(.enabled(if: TestStore.isFile, "PostgreSQL looks after its own log"))
    func `a log that grew behind a reader is shortened`() async throws {
        let store = try TestStore.open(path: path)
        func logBytes() throws -> Int64 { try FileStatus(path: path + "-wal").identity.size }
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        try await reader.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN; SELECT count(*) FROM reports")
        }
        for number in 0..<400 {
            var packet = Fixture.packet(attack: 1, number: number)
            let code = (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* (number + 1)) }
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
            _ = try await store.add(report(packet))
        }
        try await store.transaction { try $0.db.execute(sql: "CREATE TABLE filler (bytes BLOB)") }
        for _ in 0..<24 {
            try await store.transaction {
                try $0.db.execute(sql: "INSERT INTO filler (bytes) VALUES (?)", arguments: [Data(count: 1 << 20)])
            }
        }
        let long = try logBytes()
        #expect(long > 24 << 20)
        try await reader.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        await store.prepare()
        #expect(try logBytes() < 18 << 20, "the log that is reserved")
    }

    @Test func `beyond the queue's bound senders get store-busy`() async throws {
        let store = try TestStore.open(path: path)
        let full = GroupCommit(
            database: store.database, clock: store.clock, turns: store.turns, revocations: store.knownRevocations,
            room: store.room, bounds: FairQueueBounds(rows: 0, bytes: 0))
        let error = await #expect(throws: EpitopeError.self) {
            try await full.store(ArrivingReport(id: "1", kind: "packet", sender: Fixture.host))
        }
        #expect(error?.code == .storeBusy)
    }

    @Test func `without a rule number an update is kept with the reason`() async throws {
        let store = try TestStore.open(path: path, clock: TestClock().clock)
        try await giveOutNumbers(in: store)
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: Fixture.provers)
        _ = try await store.add(report(Fixture.packet(attack: 1)))
        #expect(try await analyst.analyse() == 1)
        try await FeedReceiver(store: store, provers: Fixture.provers).accept(
            FeedPage(entries: [FeedEntry(sequence: 1, update: Fixture.update(attack: 2))]))
        let status = try await store.status()
        #expect(status.updates["unproven"] == 2)
        #expect(status.latestUpdates.prefix(2).allSatisfy { $0.reason?.contains("[sids-exhausted]") == true })
    }

    /// Gives every number to a rule in force.
    private func giveOutNumbers(in store: CenterStore) async throws {
        try await store.transaction { transaction in
            try transaction.db.execute(
                sql: """
                    WITH RECURSIVE n(sid) AS (SELECT 3900000 UNION ALL SELECT sid + 1 FROM n WHERE sid < 3999999)
                    INSERT INTO rules (sid) SELECT sid FROM n;
                    INSERT INTO updates (signature_id, revision, origin, body, state, created_ms, expires_ms, rule_id)
                      SELECT 'signature ' || sid, 1, 'site', '{}', 'proven', 0, 9000000000000, id FROM rules;
                    """)
        }
    }

    @Test func `a number that was given out is given again only when none is left, and not while its rule is in force`() async throws {
        let store = try TestStore.open(path: path, clock: TestClock().clock)
        let update = Fixture.update(attack: 1)
        let free: UInt32 = 3_912_345
        try await giveOutNumbers(in: store)
        try await store.transaction { transaction in
            try transaction.db.execute(sql: "UPDATE updates SET state = 'expired' WHERE signature_id = ?", arguments: ["signature \(free)"])
            let rule = try transaction.rule(for: update.signature.id)
            #expect(try transaction.assignSID(toRule: rule, of: update.signature.id) == nil)
            let sid = try UInt32.fetchOne(transaction.db, sql: "SELECT sid FROM rules WHERE id = ?", arguments: [rule])
            #expect(sid == free)
        }
    }

    @Test func `of two rules with one number the later gets the next that is free`() async throws {
        let store = try TestStore.open(path: path, clock: TestClock().clock)
        let id = Fixture.signature(attack: 1).id
        let number = Fixture.number(attack: 1)
        try await store.transaction { transaction in
            for taken in [number, number + 1, SIDRange.ofSite.upperBound] {
                try transaction.db.execute(sql: "INSERT INTO rules (sid) VALUES (?)", arguments: [taken])
            }
            let rule = try transaction.rule(for: id)
            #expect(try transaction.assignSID(toRule: rule, of: id) == nil)
            let sid = try UInt32.fetchOne(transaction.db, sql: "SELECT sid FROM rules WHERE id = ?", arguments: [rule])
            #expect(sid == number + 2)
        }
    }

    @Test(.enabled(if: TestStore.isFile)) func `a folder that can't be written is reported`() throws {
        let error = #expect(throws: EpitopeError.self) { try TestStore.open(path: "/proc/epitope/center.sqlite") }
        #expect(error?.code == .storeFailed)
    }

    @Test func `a packet is stored as the bytes that came in, and read back as their value`() async throws {
        let store = try TestStore.open(path: path)
        // Field 15 of a later schema: this version ignores it, and keeps it.
        let bytes = Samples.packet().encoded() + [0x7A, 0x01, 0x41]
        let packet = try ReceivedPacket(encoded: bytes)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(packet)))
        let stored = try await store.snapshot { transaction in
            try Row.fetchOne(transaction.db, sql: "SELECT \(PacketRows.columns) FROM reports r \(PacketRows.body)").flatMap(
                PacketRows.bytes)
        }
        #expect(stored == bytes)
        #expect(try await store.packet(id: packet.value.id) == Samples.packet())
    }

    @Test func `a report whose signature can't be analysed is refused`() async throws {
        let store = try TestStore.open(path: path)
        let receiver = ReportReceiver(store: store, analysisSignal: WakeUpSignal())
        var update = Fixture.update(attack: 1)
        update.signature.tokens = []
        let report = Report(sender: Fixture.site, body: .update(update))
        let error = await #expect(throws: EpitopeError.self) { try await receiver.accept(report) }
        #expect(error?.code == .signatureMalformed)
        #expect(try await store.status().reports.isEmpty)
    }

    @Test func `evidence and clusters of an outbreak are removed so many at a time`() async throws {
        let store = try TestStore.open(path: path, clock: TestClock().clock)
        let counts = try await store.transaction { transaction in
            let db = transaction.db
            for number in 0..<25 {
                try db.execute(
                    sql: "INSERT INTO clusters (signature_id, signature, created_ms) VALUES (?, '', ?)", arguments: ["s\(number)", number])
                try db.execute(
                    sql: "INSERT INTO evidence (cluster_id, reporter, kind, points, time_ms) VALUES (1, ?, 'k', 1, ?)",
                    arguments: ["host:\(number)", number])
            }
            let clustersWithEvidence = try transaction.pruneClusters(before: 24, limit: 100)
            return [clustersWithEvidence] + (try (0..<4).map { _ in try transaction.pruneEvidence(before: 23, limit: 10) })
                + (try (0..<2).map { _ in try transaction.pruneClusters(before: 25, limit: 10) })
        }
        #expect(counts == [23, 10, 10, 3, 0, 1, 0], "the first cluster keeps the evidence that is not old enough, and stays")
    }

    @Test func `packets are removed after the days that they are kept`() async throws {
        let clock = TestClock()
        let store = try TestStore.open(path: path, clock: clock.clock)
        _ = try await store.add(report(Fixture.packet(attack: 1)))
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [], forwards: .never, lifetimeDays: 90),
            provers: Fixture.provers)
        #expect(try await analyst.analyse() == 1)
        clock.advance(milliseconds: 29 * TestClock.day)
        _ = try await store.add(report(Fixture.packet(attack: 2)))
        #expect(try await store.prune(olderThanDays: 30).packets == 0)
        clock.advance(milliseconds: 2 * TestClock.day)
        #expect(try await store.prune(olderThanDays: 30).packets == 1)
        clock.advance(milliseconds: 400 * TestClock.day)
        #expect(try await store.prune(olderThanDays: 30).packets == 0, "what was not analysed yet is never removed")
        #expect(try await store.status().clusters == 0)
    }
}
