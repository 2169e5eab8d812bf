// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import GRDB
import LocalCenter
import PacketCoding
import Rendering
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// The store is copied as it lies on the disk while the center works, and another center is started on the copy: what
/// a machine finds after it was killed at that point.
@Suite("A center that is killed at any step carries on", .enabled(if: TestStore.isFile))
struct RestartTests {
    private let folder: TemporaryFolder
    private let after: TemporaryFolder
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        after = try TemporaryFolder()
    }

    private func copyStore() throws {
        for suffix in ["", "-wal"] {
            let name = "/center.sqlite" + suffix
            try FileManager.default.copyItem(atPath: folder.path + name, toPath: after.path + name)
        }
    }

    /// Of the rule of ``Samples/packet(id:hostID:)``.
    private static let number: UInt32 = {
        Fixture.number(
            of: Signature(tokens: [.init(bytes: Samples.callerWindow)], context: SignatureContext(Samples.packet().parameters.process)))
    }()

    /// Starts a center on the copy, and expects the chain to end as if nothing had happened.
    private func expectCompletion(ids: FakeIDS = FakeIDS(), global: FakeGlobalCenter = FakeGlobalCenter()) async throws {
        let center = try RunningCenter(folder: after, clock: clock, ids: ids, global: global)
        do {
            try await center.awaitDeliveries(["ids delivered": 1])
            try await center.awaitForwards(["delivered": 1])
            let status = try await center.status()
            #expect(status.reports == ["analysed": 1])
            #expect(status.clusters == 1)
            #expect(status.updates == ["proven": 1])
            #expect(status.latestUpdates.map(\.sid) == [Self.number])
            #expect(status.latestUpdates.map(\.revision) == [1])
            #expect(status.quotas["updates"]?.left == 2)
            #expect(status.quotas["forwards"]?.left == 2)
            #expect(try await center.receive(Samples.packet()).wasKnown)
        } catch {
            await center.kill()
            throw error
        }
        await center.kill()
    }

    @Test func `a center killed after the packet was stored completes the chain`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        try copyStore()
        try await expectCompletion()
    }

    @Test func `a center killed after the update was made completes the chain`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .reached, lifetimeDays: 90)
        #expect(try await ReportAnalyst(store: store, policy: policy, provers: Fixture.provers).analyse() == 1)
        try copyStore()
        try await expectCompletion()
    }

    /// The mark of the first transaction stands alone: the proof was never made.
    @Test func `a center killed between the threshold and the proof completes the chain`() async throws {
        let path = folder.path + "/center.sqlite"
        let store = try TestStore.open(path: path, clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .reached, lifetimeDays: 90)
        #expect(try await ReportAnalyst(store: store, policy: policy, provers: Fixture.provers).analyse() == 1)
        try await TestStore.execute("DELETE FROM updates; DELETE FROM rules; UPDATE proofs SET state = 'pending', samples = 0", at: path)
        try copyStore()
        try await expectCompletion()
    }

    @Test func `a center killed after the quota was taken completes the chain`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .reached, lifetimeDays: 90)
        #expect(try await ReportAnalyst(store: store, policy: policy, provers: Fixture.provers).analyse() == 1)
        #expect(try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil) == nil)
        #expect(try await store.reserveForwardQuota(limits: QuotaLimits(), yieldingTo: nil) == nil)
        try copyStore()
        try await expectCompletion()
    }

    @Test func `a center killed while the IDS had the rules and had not answered completes the chain`() async throws {
        let ids = FakeIDS(.hangs)
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids, global: FakeGlobalCenter())
        try await center.receive(Samples.packet())
        try await eventually("the IDS has the rules") { await ids.deliveries.count == 1 }
        try copyStore()
        await center.kill()
        let later = FakeIDS()
        try await expectCompletion(ids: later)
        #expect(await later.deliveries == ids.deliveries, "the same rules under the same numbers")
    }

    @Test func `a center killed while the global center had not answered completes the chain`() async throws {
        let (ids, global) = (FakeIDS(), FakeGlobalCenter(.hangs))
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids, global: global)
        try await center.receive(Samples.packet())
        try await center.awaitDeliveries(["ids delivered": 1])
        try await eventually("the forward has its quota") { try await center.status().quotas["forwards"]?.left == 2 }
        try copyStore()
        await center.kill()
        let later = FakeIDS()
        try await expectCompletion(ids: later)
        #expect(await later.deliveries.isEmpty, "the rules were confirmed before")
    }

    @Test func `a center killed after all was done completes the chain`() async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: FakeIDS(), global: FakeGlobalCenter())
        try await center.receive(Samples.packet())
        try await center.awaitForwards(["delivered": 1])
        try await center.awaitDeliveries(["ids delivered": 1])
        try copyStore()
        await center.kill()
        let (ids, global) = (FakeIDS(), FakeGlobalCenter())
        try await expectCompletion(ids: ids, global: global)
        #expect(await ids.deliveries.isEmpty)
        #expect(await global.forwards.isEmpty)
    }

    @Test func `rules that somebody took out of the IDS while the center was away are put back when it starts`() async throws {
        let ids = FakeIDS()
        let first = try RunningCenter(folder: folder, clock: clock, ids: ids)
        try await first.receive(Samples.packet())
        try await first.awaitDeliveries(["ids delivered": 1])
        await first.kill()
        let before = await ids.deliveries.count
        await ids.lose()
        let second = try RunningCenter(folder: folder, clock: clock, ids: ids)
        try await eventually("the rules are put back") { await ids.deliveries.count > before }
        #expect(await ids.rules.map(\.sid) == [Self.number])
        try await eventually("an event says so") {
            try await second.status().events.contains { $0.step == .restored && $0.detail == "no rule is loaded: they are put back" }
        }
        await second.kill()
    }

    @Test func `a cluster and an update that can't be read hold up nobody else`() async throws {
        let ids = FakeIDS()
        let first = try RunningCenter(folder: folder, clock: clock, ids: ids)
        try await first.receive(Samples.packet())
        try await first.awaitDeliveries(["ids delivered": 1])
        await first.kill()
        try await first.store.transaction { transaction in
            try transaction.db.execute(sql: "UPDATE clusters SET signature = '{'")
            try transaction.db.execute(sql: "UPDATE updates SET body = '{'")
        }
        let second = try RunningCenter(folder: folder, clock: clock, ids: ids)
        try await second.receive(Fixture.packet(attack: 2, host: "host-2"))
        try await eventually("the other attack's rule is delivered") {
            await ids.rules.contains { $0.sid == Fixture.number(attack: 2) }
        }
        try await eventually("both are made again of the packets that the center holds") {
            await ids.rules.map(\.sid).contains(Self.number)
        }
        #expect(try await second.status().clusters == 2)
        await second.kill()
    }

    @Test(arguments: [-1, 7, Int64.max]) func `a rule whose number no rule can have gets another one`(_ number: Int64) async throws {
        let ids = FakeIDS()
        let first = try RunningCenter(folder: folder, clock: clock, ids: ids)
        try await first.receive(Samples.packet())
        try await first.awaitDeliveries(["ids delivered": 1])
        await first.kill()
        try await first.store.transaction { try $0.db.execute(sql: "UPDATE rules SET sid = ?", arguments: [number]) }
        let second = try RunningCenter(folder: folder, clock: clock, ids: ids)
        try await second.receive(Fixture.packet(attack: 2, host: "host-2"))
        try await eventually("both rules are in the IDS") {
            await Set(ids.rules.map(\.sid)) == [Self.number, Fixture.number(attack: 2)]
        }
        #expect(try await second.status().latestUpdates.allSatisfy { $0.sid != nil })
        await second.kill()
    }

    @Test func `an update that can't be read is made again, of the packets or by the feed, and its rule keeps its number`() async throws {
        let (ids, global) = (FakeIDS(), FakeGlobalCenter())
        let first = try RunningCenter(folder: folder, clock: clock, ids: ids, global: global) { $0.updatesADay = 1 }
        try await first.receive(Samples.packet())
        await global.offer(Fixture.update(attack: 2), number: 3_950_002)
        await global.offer(Fixture.update(attack: 3), number: 3_950_003)
        try await first.awaitDeliveries(["ids delivered": 3])
        await first.kill()
        let before = await ids.rules
        try await first.store.transaction { transaction in
            try transaction.db.execute(
                sql: "UPDATE updates SET body = '{' WHERE origin = 'site' OR signature_id = ?",
                arguments: [Fixture.signature(attack: 2).id])
        }
        let second = try RunningCenter(folder: folder, clock: clock, ids: ids, global: global) { $0.updatesADay = 1 }
        try await eventually("it was seen") {
            try await second.store.events().contains { $0.step == .unproven && $0.detail.contains("feed again") }
        }
        // Ends the poll that is under way; what it was asked for is no longer what is needed.
        await global.offer(Fixture.update(attack: 4), number: 3_950_004)
        try await second.awaitDeliveries(["ids delivered": 4])
        try await eventually("the IDS has them") { try await second.store.ruleSet().isConfirmed }
        let after = await ids.rules.filter { $0.sid != 3_950_004 }
        #expect(after.map(\.sid) == before.map(\.sid))
        #expect(after.map(\.update.signature) == before.map(\.update.signature))
        await second.kill()
    }

    @Test func `a message that fails again and again goes behind the others on the way to the global center`() async throws {
        let global = FakeGlobalCenter(.isOutOfReach)
        let center = try RunningCenter(folder: folder, clock: clock, ids: nil, global: global) { $0.updatesTo = .global }
        for attack in 1...2 as ClosedRange<UInt8> { try await center.receive(Fixture.packet(attack: attack, host: "host-\(attack)")) }
        try await center.awaitForwards(["pending": 2])
        try await center.awaitDeliveries(["global pending": 2])
        await center.kill()
        // It may have been killed before it had their quota.
        _ = try await center.store.reserveForwardQuota(limits: QuotaLimits(), yieldingTo: nil)
        _ = try await center.store.reserveQuota(for: .global, limits: QuotaLimits(), yieldingTo: nil)
        let before = try await center.store.outboundMessages()
        let first = try #require(before.first)
        for _ in 0..<OutboundMessage.maxAttemptsInFront {
            try await center.store.recordOutcome(of: first, as: .pending, detail: "internal")
        }
        let after = try await center.store.outboundMessages()
        #expect(after.map(\.subject) == before.dropFirst().map(\.subject) + [first.subject])
    }

    @Test func `what can't be read keeps nothing else from the global center`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        let packets = [UInt8(1), 2].map { Fixture.packet(attack: $0, host: "host-\($0)") }
        for packet in packets {
            let sender = Identity(role: .host, name: try #require(packet.parameters.system.hostID))
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
        }
        let policy = AnalysisPolicy(threshold: .init(), targets: [.global], forwards: .reached, lifetimeDays: 90)
        let analyst = ReportAnalyst(store: store, policy: policy, provers: Fixture.provers)
        while try await analyst.analyse() > 0 {}
        _ = try await store.reserveForwardQuota(limits: QuotaLimits(), yieldingTo: nil)
        _ = try await store.reserveQuota(for: .global, limits: QuotaLimits(), yieldingTo: nil)
        #expect(try await store.outboundMessages().count == 4)
        try await store.transaction { transaction in
            try transaction.db.execute(sql: "UPDATE reports SET packet = ? WHERE seq = 1", arguments: [Data([0xff])])
            try transaction.db.execute(
                sql: "UPDATE updates SET body = '{' WHERE signature_id = ?", arguments: [Fixture.signature(attack: 1).id])
        }
        #expect(try await store.outboundMessages().map(\.subject) == [packets[1].id, Fixture.signature(attack: 2).id])
        let refused = try await store.events().filter { $0.step == .refused }
        #expect(refused.count == 2, "once each")
        #expect(try await store.outboundMessages().count == 2)
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM quota_uses") } == 2)
    }

    @Test func `clusters that were pruned alone are forgotten in memory, too, and their attack is analysed when it comes back`()
        async throws
    {
        let center = try RunningCenter(folder: folder, clock: clock, ids: FakeIDS()) { $0.analysis.keepDays = 1 }
        try await center.receive(Fixture.packet(attack: 1))
        try await center.awaitDeliveries(["ids delivered": 1])
        // Its packets and evidence went earlier, while its rule was in force; now that has ended.
        try await center.store.transaction { transaction in
            for sql in ["DELETE FROM reports", "DELETE FROM evidence", "UPDATE updates SET state = 'expired'"] {
                try transaction.db.execute(sql: sql)
            }
        }
        clock.advance(milliseconds: 2 * TestClock.day)
        let pruned = try await center.store.prune(olderThanDays: 1)
        #expect(pruned.packets == 0 && pruned.clusters == 1, "so the analysis has to read its clusters again")
        await center.kill()
    }
}
