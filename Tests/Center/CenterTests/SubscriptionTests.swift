// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import LocalCenter
import Rendering
import Signatures
import TestSupport
import Testing

@Suite("A site takes the global center's updates")
struct SubscriptionTests {
    private let folder: TemporaryFolder
    private let ids = FakeIDS()
    private let global = FakeGlobalCenter()

    init() throws {
        folder = try TemporaryFolder()
    }

    private func withCenter(
        _ change: (inout LocalCenterConfiguration) -> Void = { _ in }, _ body: (RunningCenter) async throws -> Void
    ) async throws {
        let center = try RunningCenter(folder: folder, ids: ids, global: global, change)
        do {
            try await body(center)
        } catch {
            await center.kill()
            throw error
        }
        await center.kill()
    }

    @Test func `an update of the global center goes to the site's IDS`() async throws {
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(await ids.rules.map(\.update.signature) == [Fixture.signature(attack: 1)])
            #expect(await ids.rules.map(\.update.origin) == [.global(sequence: 1)])
            let status = try await center.status()
            #expect(status.subscriptionCursor == 1)
            #expect(status.quotas["updates"]?.left == 3, "others' attacks don't use up the site's own quota")
            #expect(status.quotas["global-updates"]?.left == 99)
        }
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 2))
            try await center.awaitDeliveries(["ids delivered": 2])
            #expect(await ids.deliveries.count == 2, "after a restart the first is not delivered again")
        }
    }

    @Test func `a site's own update that comes back is covered`() async throws {
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            await global.offer(Fixture.update(attack: 1))
            try await eventually("the update came back") { try await center.status().subscriptionCursor == 1 }
            await center.service.wake()
            #expect(try await center.status().updates == ["proven": 1, "covered": 1])
            #expect(await ids.deliveries.count == 1)
        }
    }

    @Test func `an unproven update is kept and not delivered`() async throws {
        var fill = Fixture.update(attack: 1)
        fill.signature.tokens = [.init(bytes: Array(repeating: 0x90, count: 32))]
        var unproven = Fixture.update(attack: 2)
        unproven.proof.checks[0].outcome = .failed
        var malformed = Fixture.update(attack: 3)
        malformed.signature.tokens[0].gap = -4...Int.max
        var stale = Fixture.update(attack: 4)
        stale.createdMilliseconds -= 91 * TestClock.day
        let updates = [fill, unproven, malformed, stale, Fixture.update(attack: 5)]
        try await withCenter { center in
            for update in updates { await global.offer(update) }
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(await ids.rules.map(\.update.signature) == [Fixture.signature(attack: 5)])
            #expect(try await center.status().updates == ["proven": 1, "unproven": 3, "expired": 1])
        }
    }

    @Test func `a signature that a person withdrew is not delivered again`() async throws {
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            try await center.store.withdraw(signatureID: Fixture.signature(attack: 1).id, reason: "false alarm")
            await global.offer(Fixture.update(attack: 1, revision: 2))
            try await eventually("both are withdrawn") { try await center.status().updates == ["withdrawn": 2] }
            await center.service.wake()
            try await eventually("the rule is gone") { await ids.rules.isEmpty }
        }
    }

    @Test func `the quota for the global center's updates is respected`() async throws {
        try await withCenter({ $0.globalUpdatesADay = 1 }) { center in
            await global.offer(Fixture.update(attack: 1))
            await global.offer(Fixture.update(attack: 2))
            try await center.awaitDeliveries(["ids delivered": 1, "ids waiting-quota": 1])
            // Further rounds of the delivery leave the second waiting.
            await global.offer(Fixture.update(attack: 3))
            try await center.awaitDeliveries(["ids delivered": 1, "ids waiting-quota": 2])
            #expect(await ids.deliveries.count == 1)
            #expect(try await center.status().quotas["global-updates"]?.left == 0)
        }
    }

    @Test func `with updates off none of the global center's is taken`() async throws {
        await global.offer(Fixture.update(attack: 1))
        try await withCenter({ $0.updates = false }) { center in
            try await center.receive(Fixture.packet(attack: 2))
            try await center.awaitForwards(["delivered": 1])
            #expect(try await center.status().subscriptionCursor == 0)
        }
    }
}
