// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterServer
import CenterStore
import Correlation
import EpitopeModel
import LocalCenter
import Rendering
import Signatures
import TestSupport
import Testing

@Suite("The local center delivers and forwards as it is set")
struct LocalCenterTests {
    private let folder: TemporaryFolder
    private let journal = Journal()
    private let ids: FakeIDS
    private let global: FakeGlobalCenter

    init() throws {
        folder = try TemporaryFolder()
        ids = FakeIDS(journal: journal)
        global = FakeGlobalCenter(journal: journal)
    }

    private func withCenter(
        clock: TestClock = TestClock(), _ change: (inout LocalCenterConfiguration) -> Void = { _ in },
        _ body: (RunningCenter) async throws -> Void
    ) async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids, global: global, change)
        do {
            try await body(center)
        } catch {
            await center.kill()
            throw error
        }
        await center.kill()
    }

    @Test func `by default the IDS is updated first and then the packet forwarded`() async throws {
        try await withCenter { center in
            try await center.receive(Samples.packet())
            try await center.awaitForwards(["delivered": 1])
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(await journal.entries == ["ids", "forward"])
            #expect(await ids.rules.map { SIDRange.ofSite.contains($0.sid) } == [true])
            #expect(await ids.rules.first?.update.signature.tokens == [.init(bytes: Samples.callerWindow)])
            let forward = await global.forwards.first
            #expect(forward?.packet == Samples.packet())
            #expect(forward?.reporter == "host-1")
            #expect(forward?.signature.tokens == [.init(bytes: Samples.callerWindow)])
        }
    }

    @Test func `with forwarding first the packet goes out before the IDS is updated`() async throws {
        try await withCenter({ $0.first = .forward }) { center in
            try await center.receive(Samples.packet())
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(await journal.entries == ["forward", "ids"])
        }
    }

    @Test func `a global center out of reach does not hold up the IDS`() async throws {
        await global.become(.isOutOfReach)
        try await withCenter({ $0.first = .forward }) { center in
            try await center.receive(Samples.packet())
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(try await center.status().forwards == ["pending": 1])
            await global.become(.receives)
            try await center.awaitForwards(["delivered": 1])
            #expect(await global.forwards.count == 1)
        }
    }

    @Test func `with updates off only forwards go out`() async throws {
        try await withCenter({ $0.updates = false }) { center in
            try await center.receive(Samples.packet())
            try await center.awaitForwards(["delivered": 1])
            #expect(await journal.entries == ["forward"])
            #expect(try await center.status().updates.isEmpty)
        }
    }

    @Test func `with forwarding off only the IDS is updated`() async throws {
        try await withCenter({ $0.forwarding = false }) { center in
            try await center.receive(Samples.packet())
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(await journal.entries == ["ids"])
            #expect(try await center.status().forwards.isEmpty)
        }
    }

    @Test func `updates can go to the global center instead of the IDS`() async throws {
        try await withCenter({
            $0.updatesTo = .global
            $0.forwarding = false
        }) { center in
            try await center.receive(Samples.packet())
            try await center.awaitDeliveries(["global delivered": 1])
            #expect(await journal.entries == ["publish"])
            #expect(await global.published.first?.signature.tokens == [.init(bytes: Samples.callerWindow)])
        }
    }

    @Test func `updates can go to the IDS and the global center`() async throws {
        try await withCenter({
            $0.updatesTo = .both
            $0.forwarding = false
        }) { center in
            try await center.receive(Samples.packet())
            try await center.awaitDeliveries(["ids delivered": 1, "global delivered": 1])
            #expect(await journal.entries == ["ids", "publish"])
        }
    }

    @Test func `below the threshold packets are forwarded only if the settings say so`() async throws {
        try await withCenter({ $0.forwardBelowThreshold = true }) { center in
            try await center.receive(Fixture.packet(attack: 1, evidence: [.memoryFile]))
            try await center.awaitForwards(["delivered": 1])
            #expect(await journal.entries == ["forward"])
        }
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 2, evidence: [.memoryFile]))
            try await center.awaitAnalysed(2)
            #expect(try await center.status().forwards == ["delivered": 1])
            #expect(await ids.deliveries.isEmpty)
        }
    }

    @Test func `similar packets are forwarded once`() async throws {
        try await withCenter { center in
            for number in 0..<5 { try await center.receive(Fixture.packet(attack: 1, number: number)) }
            // A forward is scheduled in the transaction that analyses its packet: none can come later.
            try await center.awaitAnalysed(5)
            #expect(try await center.status().forwards.values.reduce(0, +) == 1)
            try await center.awaitForwards(["delivered": 1])
            // Another host's: one host's word has one place of the day.
            try await center.receive(Fixture.packet(attack: 1, number: 9, host: "host-2", evidence: [.sendsItself]))
            try await center.awaitForwards(["delivered": 2])
            try await center.receive(Fixture.packet(attack: 1, number: 10, evidence: [.sendsItself]))
            try await center.awaitAnalysed(7)
            #expect(try await center.status().forwards == ["delivered": 2])
            #expect(await global.forwards.count == 2)
        }
    }

    /// A host's weak evidence: three of them are an attack.
    private func weak(_ number: Int, attack: UInt8 = 1) -> ExtractedPacket {
        Fixture.packet(attack: attack, number: number, host: "host-\(number)", evidence: [.memoryFile])
    }

    @Test func `what several hosts' weak evidence came to goes to the global center with the packet`() async throws {
        try await withCenter { center in
            for number in 1...3 { try await center.receive(weak(number)) }
            try await center.awaitForwards(["delivered": 1])
            #expect(await global.forwards.map(\.conclusion) == [SiteConclusion(points: 120, hosts: 3, grade: .corroborated)])
            try await center.receive(weak(4))
            try await center.awaitAnalysed(4)
            #expect(try await center.status().forwards == ["delivered": 1], "it is said once")
        }
    }

    @Test func `where packets go out below the threshold, the conclusion follows with the next`() async throws {
        try await withCenter({ $0.forwardBelowThreshold = true }) { center in
            try await center.receive(weak(1))
            try await center.awaitForwards(["delivered": 1])
            for number in 2...3 { try await center.receive(weak(number)) }
            try await center.awaitForwards(["delivered": 2])
            let concluded = SiteConclusion(points: 120, hosts: 3, grade: .corroborated)
            #expect(await global.forwards.map(\.conclusion) == [nil, concluded])
        }
    }

    @Test func `with one counter for the site every cluster that an update is made of is forwarded`() async throws {
        try await withCenter({
            $0.counter = .site
            $0.forwardsADay = 30
        }) { center in
            for number in 1...3 { try await center.receive(weak(number, attack: UInt8(number))) }
            try await center.awaitForwards(["delivered": 3])
            #expect(try await center.status().updates == ["proven": 3])
            #expect(await Set(global.forwards.map(\.signature)) == Set((1...3).map { Fixture.signature(attack: $0) }))
            // Each of them was reported by one host, and all three are what the site's counter rests on.
            let concluded = SiteConclusion(points: 120, hosts: 3, grade: .reported)
            #expect(await global.forwards.map(\.conclusion) == Array(repeating: concluded, count: 3))
        }
    }

    @Test func `a cluster all of whose packets were forwarded sends one again with the conclusion`() async throws {
        try await withCenter({
            $0.counter = .site
            $0.forwardsADay = 30
            $0.forwardBelowThreshold = true
        }) { center in
            for number in 1...2 { try await center.receive(weak(number, attack: UInt8(number))) }
            try await center.awaitForwards(["delivered": 2])
            #expect(await global.forwards.map(\.conclusion) == [nil, nil])
            try await center.receive(weak(3, attack: 3))
            try await center.awaitForwards(["delivered": 3])
            try await eventually("the first two went out again") { await global.concluded.count == 3 }
            #expect(await Set(global.concluded.map(\.id)) == Set((1...3).map { weak($0, attack: UInt8($0)).id }))
        }
    }

    @Test func `an update beyond its quota waits and goes out when the day has room again`() async throws {
        let clock = TestClock()
        try await withCenter(clock: clock) { center in
            // What one host's word supports uses at most two places of the day; what two say may use each.
            let reports: [(attack: UInt8, host: Int)] = [(1, 1), (2, 2), (3, 1), (3, 3), (4, 1), (4, 3)]
            for (attack, host) in reports { try await center.receive(Fixture.packet(attack: attack, host: "host-\(host)")) }
            try await center.awaitDeliveries(["ids delivered": 3, "ids waiting-quota": 1])
            try await center.awaitForwards(["delivered": 3, "waiting-quota": 1])
            #expect(try await center.status().quotas["updates"]?.left == 0)
            #expect(await ids.rules.count == 3)
            clock.advance(milliseconds: TestClock.day - 1)
            await center.service.wake()
            try await center.receive(Fixture.packet(attack: 1, number: 77))
            try await center.awaitAnalysed(7)
            #expect(try await center.status().deliveries == ["ids delivered": 3, "ids waiting-quota": 1])
            clock.advance(milliseconds: 1)
            await center.service.wake()
            try await center.awaitDeliveries(["ids delivered": 4])
            try await eventually("the fourth forward") { await global.forwards.count >= 4 }
            #expect(await ids.rules.map(\.sid) == (1...4).map { Fixture.number(attack: $0) }.sorted())
        }
    }

    @Test func `a refused rule is shown and takes no other with it`() async throws {
        await ids.become(.refuses([Fixture.signature(attack: 1).id]))
        try await withCenter({ $0.forwarding = false }) { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.receive(Fixture.packet(attack: 2, host: "host-2"))
            try await center.awaitDeliveries(["ids refused": 1, "ids delivered": 1])
            let status = try await center.status()
            #expect(status.quotas["updates"]?.left == 2, "what was refused is given back")
            let refused = status.latestUpdates.first { $0.signatureID == Fixture.signature(attack: 1).id }
            #expect(refused?.deliveries["ids"]?.contains("the IDS said no") == true)
        }
    }

    @Test func `an IDS out of reach is tried again`() async throws {
        await ids.become(.isOutOfReach)
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitForwards(["delivered": 1])
            #expect(try await center.status().deliveries == ["ids pending": 1])
            await ids.become(.confirms)
            try await center.awaitDeliveries(["ids delivered": 1])
        }
    }

    @Test(arguments: DeliveryOrder.allCases)
    func `when both are out of reach neither is given up`(first: DeliveryOrder) async throws {
        await ids.become(.isOutOfReach)
        await global.become(.isOutOfReach)
        try await withCenter({ $0.first = first }) { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await eventually("both were tried") { await Set(journal.entries) == ["ids", "forward"] }
            #expect(try await !center.store.markAttempted(.ids), "nothing untried is left to wake anybody for")
            await ids.become(.confirms)
            await global.become(.receives)
            try await center.awaitDeliveries(["ids delivered": 1])
            try await center.awaitForwards(["delivered": 1])
        }
    }

    @Test func `an IDS beyond its quota does not hold up forwards`() async throws {
        try await withCenter({ $0.updatesADay = 0 }) { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitForwards(["delivered": 1])
            #expect(try await center.status().deliveries == ["ids waiting-quota": 1])
        }
    }

    @Test func `a forward that is refused is not sent again`() async throws {
        await global.become(.refuses)
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitForwards(["refused": 1])
            #expect(try await center.status().quotas["forwards"]?.left == 3)
        }
    }

    @Test func `a person can undo an update`() async throws {
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.receive(Fixture.packet(attack: 2, host: "host-2"))
            try await center.awaitDeliveries(["ids delivered": 2])
            let undone = Fixture.signature(attack: 1).id
            try await center.store.withdraw(signatureID: undone, reason: "false alarm")
            await center.service.wake()
            try await eventually("the rule is gone") { await ids.rules.map(\.update.signature.id) == [Fixture.signature(attack: 2).id] }
            try await eventually("the status says so") {
                try await center.status().latestUpdates.contains { $0.signatureID == undone && $0.deliveries["ids"] == "removed" }
            }
            let left = try await center.store.events(subject: undone).filter { $0.step == .removed }
            #expect(left.map(\.detail) == ["sid \(Fixture.number(attack: 1)), revision 1: 1 rules live"])
            try await center.receive(Fixture.packet(attack: 1, number: 5))
            try await center.awaitAnalysed(3)
            #expect(try await center.status().updates == ["proven": 1, "withdrawn": 1])
            try await center.store.reinstate(signatureID: undone)
            await center.service.wake()
            try await eventually("the rule is back, from what the center holds") { await ids.rules.count == 2 }
            let back = await ids.rules.first { $0.update.signature.id == undone }
            #expect(back?.update.revision == 2 && back?.sid == Fixture.number(attack: 1))
        }
    }

    @Test func `what is reinstated does not wait for the day's quota`() async throws {
        try await withCenter({ $0.updatesADay = 1 }) { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            try await center.store.withdraw(signatureID: Fixture.signature(attack: 1).id, reason: "false alarm")
            try await center.store.reinstate(signatureID: Fixture.signature(attack: 1).id)
            await center.service.wake()
            try await eventually("the rule is back") { await ids.rules.map(\.update.revision) == [2] }
        }
    }

    @Test func `a reinstated signature whose update has expired is made anew from the packets that the center holds`() async throws {
        let clock = TestClock()
        try await withCenter(clock: clock, { $0.analysis.lifetimeDays = 2 }) { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            try await center.store.withdraw(signatureID: Fixture.signature(attack: 1).id, reason: "false alarm")
            clock.advance(milliseconds: 3 * TestClock.day)
            try await center.store.reinstate(signatureID: Fixture.signature(attack: 1).id)
            await center.service.wake()
            try await eventually("the rule is back") { await ids.rules.map(\.update.revision) == [2] }
        }
    }

    @Test func `a withdrawal while the IDS is away is queued, told, and done when it is back`() async throws {
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            await ids.become(.isOutOfReach)
            try await center.store.withdraw(signatureID: Fixture.signature(attack: 1).id, reason: "false alarm")
            await center.service.wake()
            try await eventually("the status says why it is there still") {
                try await center.status().latestUpdates.first?.deliveries["ids"]?.hasPrefix("leaving: the IDS said no") == true
            }
            await ids.become(.confirms)
            try await eventually("it is gone") { try await center.status().latestUpdates.first?.deliveries["ids"] == "removed" }
            #expect(await ids.rules.isEmpty)
        }
    }

    @Test func `its health names the part of the work that fails, for as long as it does`() async throws {
        await ids.become(.isOutOfReach)
        await global.become(.isOutOfReach)
        try await withCenter { center in
            let health = try #require(center.service.health)
            #expect(health.problems.isEmpty)
            try await center.receive(Fixture.packet(attack: 1))
            try await eventually("both are told") {
                health.problems.mapValues(\.rawValue) == [.ids: "fake-ids", .forwarding: "center-unreachable"]
            }
            await ids.become(.confirms)
            await global.become(.receives)
            try await eventually("all is well") { health.problems.isEmpty }
        }
    }

    @Test func `a second withdrawal says what the first one said`() async throws {
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            let id = Fixture.signature(attack: 1).id
            try await center.store.withdraw(signatureID: id, reason: "false alarm", by: "ada")
            try await center.store.withdraw(signatureID: id, reason: "too wide")
            let told = try await center.store.events(subject: id).filter { $0.step == .withdrawn }.map(\.detail)
            #expect(told == ["false alarm (by ada)", "too wide; before: false alarm"])
        }
    }

    @Test func `withdrawing an unknown signature is refused`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite")
        let error = await #expect(throws: EpitopeError.self) {
            try await store.withdraw(signatureID: "00", reason: "test")
        }
        #expect(error?.code == .signatureUnknown)
    }

    @Test func `an update leaves the rules when its lifetime is over`() async throws {
        let clock = TestClock()
        try await withCenter(clock: clock, { $0.analysis.lifetimeDays = 2 }) { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            clock.advance(milliseconds: 2 * TestClock.day)
            await center.service.wake()
            try await eventually("no rule is left") { await ids.deliveries.map(\.count) == [1, 0] }
            #expect(try await center.status().updates == ["expired": 1])
        }
    }
}
