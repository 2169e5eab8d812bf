// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
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
        let store = try CenterStore(path: path, clock: clock.clock)
        let first = try await store.add(report(Samples.packet()))
        clock.advance(milliseconds: 5)
        let second = try await store.add(report(Samples.packet()))
        #expect(!first.wasKnown)
        #expect(second == Receipt(id: first.id, storedMilliseconds: first.storedMilliseconds, wasKnown: true))
        #expect(try await store.status().reports == ["stored": 1])
    }

    @Test func `an acknowledged packet is there after the store is reopened`() async throws {
        do {
            let store = try CenterStore(path: path)
            _ = try await store.add(report(Samples.packet()))
            try store.database.pool.close()
        }
        let again = try await CenterStore(path: path).add(report(Samples.packet()))
        #expect(again.wasKnown)
    }

    @Test func `many at once are all stored`() async throws {
        let store = try CenterStore(path: path)
        let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
            for number in 0..<600 {
                group.addTask { try await store.add(report(Fixture.packet(attack: 1, number: number))) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(receipts.map(\.id)).count == 600)
        #expect(try await store.status().reports == ["stored": 600])
    }

    @Test func `commits are synced and the files are the owner's alone`() async throws {
        let store = try CenterStore(path: path)
        let full = 2
        #expect(try await store.database.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == full)
        let log = try await store.database.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA wal_autocheckpoint") }
        #expect(log == 4000)
        _ = try await store.add(report(Samples.packet()))
        for name in [path, path + "-wal", path + "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: name)
            #expect((attributes[.posixPermissions] as? Int ?? 0) & 0o777 == 0o600, "\(name)")
        }
    }

    @Test func `a full disk is reported and loses nothing acknowledged`() async throws {
        let store = try CenterStore(path: path, maxBytes: 300_000)
        var acknowledged: [ExtractedPacket] = []
        var refusal: EpitopeError?
        for number in 0..<200 where refusal == nil {
            var packet = Fixture.packet(attack: 2, number: number)
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: [UInt8](repeating: 7, count: 8192), isWholeRegion: true))
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

    @Test func `a damaged file is refused`() async throws {
        let broken = folder.path + "/broken.sqlite"
        try Data("this is no database, however long it may be looked at ".utf8).write(to: URL(filePath: broken))
        let error = #expect(throws: EpitopeError.self) { try CenterStore(path: broken) }
        #expect(error?.code == .storeUnusable)
    }

    @Test func `a file that was overwritten is refused`() async throws {
        do {
            let store = try CenterStore(path: path)
            for number in 0..<50 { _ = try await store.add(report(Fixture.packet(attack: 1, number: number))) }
            _ = try await store.database.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try store.database.pool.close()
        }
        let file = try FileHandle(forUpdating: URL(filePath: path))
        let length = Int(try file.seekToEnd())
        try file.seek(toOffset: 100)
        try file.write(contentsOf: Data(repeating: 0xa5, count: length - 100))
        try file.close()
        let error = await #expect(throws: EpitopeError.self) {
            _ = try await CenterStore(path: path).add(report(Fixture.packet(attack: 1, number: 51)))
        }
        #expect(error?.code == .storeUnusable)
    }

    @Test func `beyond the queue's bound senders get store-busy`() async throws {
        let store = try CenterStore(path: path)
        let full = GroupCommit(database: store.database, clock: store.clock, turns: store.turns, bounds: FairQueueBounds(rows: 0))
        let error = await #expect(throws: EpitopeError.self) {
            try await full.store(ArrivingReport(id: "1", kind: "packet", sender: Fixture.host))
        }
        #expect(error?.code == .storeBusy)
    }

    @Test func `without a rule number an update is kept with the reason`() async throws {
        let store = try CenterStore(path: path, clock: TestClock().clock)
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
        let store = try CenterStore(path: path, clock: TestClock().clock)
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
        let store = try CenterStore(path: path, clock: TestClock().clock)
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

    @Test func `a folder that can't be written is reported`() throws {
        let error = #expect(throws: EpitopeError.self) { try CenterStore(path: "/proc/epitope/center.sqlite") }
        #expect(error?.code == .storeFailed)
    }

    @Test func `a packet is stored as the bytes that came in, and read back as their value`() async throws {
        let store = try CenterStore(path: path)
        // Field 15 of a later schema: this version ignores it, and keeps it.
        let bytes = Samples.packet().encoded() + [0x7A, 0x01, 0x41]
        let packet = try ReceivedPacket(encoded: bytes)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(packet)))
        let stored = try await DatabaseQueue(path: path).read { db in
            try Row.fetchOne(db, sql: "SELECT \(PacketRows.columns) FROM reports r \(PacketRows.body)").flatMap(PacketRows.bytes)
        }
        #expect(stored == bytes)
        #expect(try await store.packet(id: packet.value.id) == Samples.packet())
    }

    @Test func `a report whose signature can't be analysed is refused`() async throws {
        let store = try CenterStore(path: path)
        let receiver = ReportReceiver(store: store, analysisSignal: WakeUpSignal())
        var update = Fixture.update(attack: 1)
        update.signature.tokens = []
        let report = Report(sender: Fixture.site, body: .update(update))
        let error = await #expect(throws: EpitopeError.self) { try await receiver.accept(report) }
        #expect(error?.code == .signatureMalformed)
        #expect(try await store.status().reports.isEmpty)
    }

    @Test func `evidence and clusters of an outbreak are removed so many at a time`() async throws {
        let store = try CenterStore(path: path, clock: TestClock().clock)
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
        let store = try CenterStore(path: path, clock: clock.clock)
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
