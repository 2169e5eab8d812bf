// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import Foundation
import GRDB
import LocalCenter
import PacketCoding
import TestSupport
import Testing

/// The store is copied as it lies on the disk while the center works, and another center is started on the copy: what
/// a machine finds after it was killed at that point.
@Suite("A center that is killed at any step carries on")
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
            #expect(status.latestUpdates.map(\.sid) == [3_900_000])
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
        let store = try CenterStore(path: folder.path + "/center.sqlite", clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        try copyStore()
        try await expectCompletion()
    }

    @Test func `a center killed after the update was made completes the chain`() async throws {
        let store = try CenterStore(path: folder.path + "/center.sqlite", clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .reached, lifetimeDays: 90)
        #expect(try await ReportAnalyst(store: store, policy: policy, provers: Fixture.provers).analyse() == 1)
        try copyStore()
        try await expectCompletion()
    }

    /// The mark of the first transaction stands alone: the proof was never made.
    @Test func `a center killed between the threshold and the proof completes the chain`() async throws {
        let path = folder.path + "/center.sqlite"
        let store = try CenterStore(path: path, clock: clock.clock)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Samples.packet()))))
        let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .reached, lifetimeDays: 90)
        #expect(try await ReportAnalyst(store: store, policy: policy, provers: Fixture.provers).analyse() == 1)
        try await DatabaseQueue(path: path).write { db in
            try db.execute(sql: "DELETE FROM updates; DELETE FROM rules; UPDATE proofs SET state = 'pending', samples = 0")
        }
        try copyStore()
        try await expectCompletion()
    }

    @Test func `a center killed after the quota was taken completes the chain`() async throws {
        let store = try CenterStore(path: folder.path + "/center.sqlite", clock: clock.clock)
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
}
