// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Foundation
import GRDB
import LocalCenter
import PacketCoding
import SecureChannel
import Signatures
import TestSupport
import Testing

@testable import CenterStore

@Suite("A store of an earlier version is migrated with its rows")
struct MigrationTests {
    private let folder: TemporaryFolder
    private let path: String
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/center.sqlite"
    }

    private func makeStore(upTo migration: String, _ fill: (Database) throws -> Void) throws {
        let queue = try DatabaseQueue(path: path)
        try Schema.migrator.migrate(queue, upTo: migration)
        try queue.write(fill)
        try queue.close()
    }

    @Test func `quota uses keyed by texts are carried over to kind and id`() async throws {
        let now = clock.clock.nowMilliseconds
        try makeStore(upTo: "2 proofs beside the chain") { db in
            for (quota, subject) in [("updates", "delivery 7"), ("forwards", "forward 7"), ("global-updates", "delivery 1234567890123")] {
                try db.execute(sql: "INSERT INTO quota_uses VALUES (?, ?, ?)", arguments: [quota, subject, now - 5])
            }
        }
        let store = try CenterStore(path: path, clock: clock.clock)
        let rows = try await store.snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "SELECT quota, item_kind, item, time_ms FROM quota_uses ORDER BY item_kind, item").map {
                row in
                "\(row["quota"] as String) \(row["item_kind"] as String) \(row["item"] as Int64) \(row["time_ms"] as Int64 - now)"
            }
        }
        #expect(rows == ["updates delivery 7 -5", "global-updates delivery 1234567890123 -5", "forwards forward 7 -5"])
        @Sendable func request(_ delivery: Int64) -> QuotaRequest {
            QuotaRequest(
                item: .delivery(delivery), state: DeliveryState.pending.rawValue, subject: "", quota: .updates,
                claim: FairQuota.Item(number: delivery, reporters: 1, points: 100, soleSource: nil))
        }
        let changes = try await store.snapshot { try $0.plan([request(7), request(8)], limits: QuotaLimits(updates: 1)).changes }
        #expect(changes.map(\.request.item) == [.delivery(8)], "the delivery goes on with the quota that it had")
        #expect(changes.map(\.reservation) == [.exhausted])
    }

    @Test func `rules keep the numbers that their signatures had`() async throws {
        let update = Fixture.update(attack: 1)
        let other = Fixture.update(attack: 2)
        try makeStore(upTo: "4 what hosts withheld") { db in
            let encoder = JSONEncoder()
            for (update, revision, state) in [(update, 1, "superseded"), (other, 1, "unproven"), (update, 2, "proven")] {
                try db.execute(
                    sql: """
                        INSERT INTO updates (signature_id, revision, origin, body, state, created_ms, expires_ms)
                        VALUES (?, ?, 'site', ?, ?, ?, ?)
                        """,
                    arguments: [
                        update.signature.id, revision, String(decoding: try encoder.encode(update), as: UTF8.self), state,
                        update.createdMilliseconds, Int64.max,
                    ])
            }
            try db.execute(
                sql: "INSERT INTO sids VALUES (?, 3900007), ('gone', 3900009)", arguments: [update.signature.id])
        }
        let store = try CenterStore(path: path, clock: clock.clock)
        let status = try await store.status()
        #expect(status.latestUpdates.map(\.signatureID) == [update, other, update].map(\.signature.id))
        #expect(status.latestUpdates.map(\.sid) == [3_900_007, nil, 3_900_007])
        try await store.transaction { transaction in
            let rule = try transaction.rule(for: update.signature.id)
            #expect(try transaction.rule(for: update.signature.id) == rule)
            let second = try transaction.rule(for: other.signature.id)
            #expect(second != rule)
            #expect(try transaction.assignSID(toRule: second, of: other.signature.id) == nil)
            let sid = try Int.fetchOne(transaction.db, sql: "SELECT sid FROM rules WHERE id = ?", arguments: [second])
            #expect(sid == Int(Fixture.number(of: other.signature)))
            #expect(try transaction.assignSID(toRule: rule, of: update.signature.id) == nil)
            let old = try Int.fetchOne(transaction.db, sql: "SELECT sid FROM rules WHERE id = ?", arguments: [rule])
            #expect(old == 3_900_007, "a rule keeps the number that it has")
        }
    }

    @Test func `packets of before are read as they came in, and what waited still waits`() async throws {
        let packets = (0..<4).map { Fixture.packet(attack: UInt8($0 + 1), number: $0) }
        try makeStore(upTo: "5 rules of several signatures") { db in
            try db.execute(sql: "INSERT INTO clusters VALUES (7, 'a', '{}', 1)")
            for (packet, state) in zip(packets, ["analysed", "unusable", "stored", "analysed"]) {
                try db.execute(
                    sql: """
                        INSERT INTO reports (id, kind, role, name, received_ms, packet, state, reason, kinds, cluster_id)
                        VALUES (?, 'packet', 'host', 'host-1', 5, ?, ?, ?, 'direct-call', ?)
                        """,
                    arguments: [
                        packet.id, Data(packet.encoded()), state, state == "unusable" ? "why" : nil, state == "analysed" ? 7 : nil,
                    ])
            }
            try db.execute(
                sql:
                    "INSERT INTO forwards (report_seq, cluster_id, kinds, state, created_ms, changed_ms) VALUES (1, 7, 'x', 'delivered', 1, 1)"
            )
            try db.execute(sql: "DELETE FROM reports WHERE seq = 4")
        }
        let store = try CenterStore(path: path, clock: clock.clock)
        #expect(try await store.status().reports == ["analysed": 1, "unusable": 1, "stored": 1])
        #expect(try await store.status().forwards == ["delivered": 1])
        for packet in packets.prefix(3) { #expect(try await store.packet(id: packet.id) == packet) }
        let (waiting, newest) = try await store.snapshot { transaction in
            (try transaction.waitingReports(limit: 9).map(\.id), try transaction.newestPackets(of: 7, limit: 9))
        }
        #expect(waiting == [packets[2].id] && newest == [1])
        #expect(try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packets[0])))).wasKnown)
        #expect(try await !store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packets[3])))).wasKnown)
        let number = try await store.snapshot { try Int64.fetchOne($0.db, sql: "SELECT max(seq) FROM reports") }
        #expect(number == 5, "the number of a report that was removed is not given again")
    }

    @Test func `of packets of before it is not known where they came from`() async throws {
        let packet = Fixture.packet(attack: 1)
        try makeStore(upTo: "10 proofs with the reporter") { db in
            try db.execute(sql: "INSERT INTO clusters (id, signature_id, signature, created_ms) VALUES (7, 'a', '{}', 1)")
            try db.execute(
                sql: "INSERT INTO reports (id, kind, role, name, received_ms, packet) VALUES (?, 'packet', 'host', 'host-1', 5, ?)",
                arguments: [packet.id, Data(packet.encoded())])
            try db.execute(sql: "INSERT INTO analyses (report_seq, state, cluster_id, is_packet) VALUES (1, 'analysed', 7, 1)")
        }
        let store = try CenterStore(path: path, clock: clock.clock)
        #expect(try await store.packet(id: packet.id) == packet)
        #expect(try await store.snapshot { try $0.newestPacketsWithReporters(of: 7, limit: 9).compactMap(\.address) } == [])
    }

    @Test func `a store that another process works on is left at its version`() throws {
        try makeStore(upTo: "5 rules of several signatures") { _ in }
        let error = #expect(throws: EpitopeError.self) { try CenterStore(path: path, isServed: true) }
        #expect(error?.code == .storeOlder)
        let columns = try DatabaseQueue(path: path).read { try $0.columns(in: "feed").map(\.name) }
        #expect(columns == ["sequence", "body", "revises"])
        _ = try CenterStore(path: path)
        _ = try CenterStore(path: path, isServed: true)
    }

    /// The words of the migrations are literals; everywhere else they come from the enums.
    @Test func `the words of the schema are those of the enums`() async throws {
        let store = try CenterStore(path: path)
        let sql = try await store.snapshot { transaction in
            try String.fetchAll(transaction.db, sql: "SELECT sql FROM sqlite_master WHERE sql LIKE '%''%'").joined(separator: "\n")
        }
        let literals = Set(sql.matches(of: /'([^']*)'/).map { String($0.1) }).subtracting([""])
        let words = [
            ProofState.pending.rawValue, ProofState.waiting.rawValue, DeliveryState.waitingQuota.rawValue,
            CenterEvent.Step.auditPruned.rawValue, DeliveryState.waitingApproval.rawValue, DeliveryState.observed.rawValue,
        ]
        #expect(literals == Set(words + QuotaItem.Kind.allCases.map(\.rawValue)))
    }
}

@Suite("A center's status shows the quotas that it runs with")
struct QuotaStatusTests {
    @Test func `before a center has run no quota is shown`() async throws {
        let folder = try TemporaryFolder()
        #expect(try await TestStore.open(path: folder.path + "/center.sqlite").status().quotas.isEmpty)
    }

    @Test func `after a center has run another process shows its limits`() async throws {
        let folder = try TemporaryFolder()
        let center = try RunningCenter(folder: folder, ids: FakeIDS()) { $0.updatesADay = 5 }
        try await eventually("the limits are stored") { try await !center.status().quotas.isEmpty }
        await center.kill()
        let quotas = try await TestStore.open(path: folder.path + "/center.sqlite").status().quotas
        #expect(quotas["updates"] == QuotaUse(limit: 5, left: 5, reopensMilliseconds: nil))
        #expect(quotas["forwards"]?.limit == 3)
    }
}
