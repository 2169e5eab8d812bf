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

    @Test func `what the global center withdraws leaves the site's IDS`() async throws {
        let id = Fixture.signature(attack: 1).id
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 1))
            await global.offer(Fixture.update(attack: 2))
            try await center.awaitDeliveries(["ids delivered": 2])
            await global.withdraw(id)
            try await eventually("the rule is gone") { await ids.rules.map(\.update.signature) == [Fixture.signature(attack: 2)] }
            try await eventually("the status says so") { try await center.status().deliveries == ["ids delivered": 1, "ids removed": 1] }
            let told = try await center.store.events(subject: id).filter { $0.step == .withdrawn }.map(\.detail)
            #expect(told == ["withdrawn by the global center: false alarm"])
        }
    }

    @Test func `a withdrawal reaches a site that was away`() async throws {
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
        }
        await global.withdraw(Fixture.signature(attack: 1).id)
        try await withCenter { center in
            try await eventually("the rule is gone") { await ids.rules.isEmpty }
            #expect(try await center.status().updates == ["withdrawn": 1])
        }
    }

    @Test func `what the global center withdraws leaves with the site's own rule, and comes back with it`() async throws {
        let id = Fixture.signature(attack: 1).id
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            await global.withdraw(id)
            try await eventually("the rule is gone") { await ids.rules.isEmpty }
            try await center.receive(Fixture.packet(attack: 1, number: 7))
            try await center.awaitAnalysed(2)
            #expect(await ids.rules.isEmpty, "no report brings it back")
            await global.offer(Fixture.update(attack: 1, revision: 2))
            try await eventually("the rule is back") { await ids.rules.map(\.update.signature.id) == [id] }
        }
    }

    @Test func `a person at the site has the last word on a withdrawal`() async throws {
        let (first, second) = (Fixture.signature(attack: 1).id, Fixture.signature(attack: 2).id)
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 1))
            await global.offer(Fixture.update(attack: 2))
            try await center.awaitDeliveries(["ids delivered": 2])
            await global.withdraw(first)
            try await eventually("the rule is gone") { await ids.rules.count == 1 }
            try await center.store.reinstate(signatureID: first, by: "ada")
            await center.service.wake()
            try await eventually("the rule is back") { await ids.rules.count == 2 }
            // Read anew, the feed withdraws it no more.
            try await center.store.transaction { try $0.beginFeedAnew() }
            await global.offer(Fixture.update(attack: 3))
            try await eventually("the feed was read") { await ids.rules.count == 3 }
            #expect(try await center.store.snapshot { try $0.withdrawalReason(of: first) } == nil)

            try await center.store.withdraw(signatureID: second, reason: "not here")
            await global.withdraw(second)
            await global.offer(Fixture.update(attack: 2, revision: 2))
            try await eventually("the feed was read") { try await center.status().subscriptionCursor == 6 }
            #expect(try await center.store.snapshot { try $0.withdrawalReason(of: second) } == "not here")
            await center.service.wake()
            try await eventually("the rule is gone") { await ids.rules.count == 2 }
        }
    }

    @Test func `a feed that begins anew is read from its beginning, and nothing is taken twice`() async throws {
        try await withCenter { center in
            for attack in UInt8(1)...3 { await global.offer(Fixture.update(attack: attack)) }
            try await center.awaitDeliveries(["ids delivered": 3])
            // Put back from a backup: what came last is not in it, and others get the numbers anew.
            await global.forget()
            for attack in [1, 2, 4, 5, 6] as [UInt8] { await global.offer(Fixture.update(attack: attack)) }
            try await center.awaitDeliveries(["ids delivered": 6])
            let status = try await center.status()
            #expect(status.subscriptionCursor == 5)
            #expect(status.updates == ["proven": 6])
            #expect(status.events.contains { $0.step == .received && $0.subject == "feed" })
            #expect(await ids.rules.count == 6, "what the site has stays in force")
        }
    }

    @Test func `what was withdrawn and published again is in force after the feed was read anew`() async throws {
        let id = Fixture.signature(attack: 1).id
        try await withCenter { center in
            await global.offer(Fixture.update(attack: 1))
            await global.withdraw(id)
            await global.offer(Fixture.update(attack: 1, revision: 2))
            try await eventually("it is in force") { await ids.rules.map(\.update.revision) == [2] }
            try await center.store.transaction { try $0.beginFeedAnew() }
            await global.offer(Fixture.update(attack: 2))
            try await eventually("the feed was read") { await ids.rules.contains { $0.update.signature != Fixture.signature(attack: 1) } }
            #expect(try await center.store.snapshot { try $0.withdrawalReason(of: id) } == nil)
            try await eventually("both are in force") { await ids.rules.count == 2 }
            #expect(try await center.status().subscriptionCursor == 4)
        }
    }

    @Test func `a rule has the number that the global center gives it`() async throws {
        let number: UInt32 = 3_950_017
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            await global.offer(Fixture.update(attack: 1), number: number)
            try await eventually("the site's own rule has the number, too") { await ids.rules.map(\.sid) == [number] }
            #expect(await ids.rules.map(\.update.origin) == [.site])
            await global.offer(Fixture.update(attack: 2), number: number + 1)
            // Not a number of a global center's: the site gives one.
            await global.offer(Fixture.update(attack: 3), number: 3_900_001)
            try await eventually("three rules") { await ids.rules.count == 3 }
            let sids = await Dictionary(uniqueKeysWithValues: ids.rules.map { ($0.update.signature.id, $0.sid) })
            #expect(sids[Fixture.signature(attack: 2).id] == number + 1)
            let third = Fixture.signature(attack: 3).id
            #expect(sids[third] == SIDRange.number(ofSignature: third, in: SIDRange.ofGlobalCenter))
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
