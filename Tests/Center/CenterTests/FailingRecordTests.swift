// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import GRDB
import LocalCenter
import PacketCoding
import Rendering
import Signatures
import TestSupport
import Testing

/// The store refuses what belongs to one record, each time, as it would for a fault of the program that nobody knows yet.
@Suite("One record that fails again and again holds up no other")
struct FailingRecordTests {
    private let folder: TemporaryFolder
    private let ids = FakeIDS()
    private let clock = TestClock()

    init() throws { folder = try TemporaryFolder() }

    private func openStore() throws -> CenterStore { try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock) }

    private func change(_ sql: String) async throws {
        try await TestStore.execute(sql, at: folder.path + "/center.sqlite")
    }

    private func refuse(_ what: String, when condition: String) async throws {
        try await TestStore.refuse("INSERT", on: what, when: condition, at: folder.path + "/center.sqlite")
    }

    /// Packets of attacks, each of a host of its own, that wait for the analysis together.
    private func store(attacks: ClosedRange<UInt8>) async throws {
        let store = try openStore()
        for attack in attacks {
            let packet = Fixture.packet(attack: attack, host: "host-\(attack)")
            let sender = Identity(role: .host, name: "host-\(attack)")
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
        }
    }

    private func withCenter(_ global: FakeGlobalCenter? = nil, _ body: (RunningCenter) async throws -> Void) async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids, global: global) {
            $0.updatesADay = 10
            $0.forwarding = false
        }
        do {
            try await body(center)
        } catch {
            await center.kill()
            throw error
        }
        await center.kill()
    }

    @Test func `a report whose analysis fails is put aside, and the others of its group are analysed`() async throws {
        try await store(attacks: 1...3)
        try await refuse("analyses", when: "NEW.report_seq = 1 AND NEW.state = 'analysed'")
        try await withCenter { center in
            try await center.awaitDeliveries(["ids delivered": 2])
            try await eventually("it is put aside") { try await center.status().reports == ["analysed": 2, "unusable": 1] }
            let told = try await center.status().events.filter { $0.step == .unusable }
            #expect(told.count == 1 && told.first?.detail.contains("refused by a test") == true, "\(told)")
            try await center.receive(Fixture.packet(attack: 4, host: "host-4"))
            try await center.awaitDeliveries(["ids delivered": 3])
        }
    }

    @Test func `a proof that can't be stored is put aside, and comes with the attack's next report`() async throws {
        try await store(attacks: 1...3)
        try await refuse("updates", when: "NEW.signature_id = '\(Fixture.signature(attack: 1).id)'")
        try await withCenter { center in
            try await center.awaitDeliveries(["ids delivered": 2])
            try await eventually("it is put aside") {
                try await center.status().events.contains { $0.step == .unproven && $0.detail.contains("refused by a test") }
            }
            try await center.receive(Fixture.packet(attack: 4, host: "host-4"))
            try await center.awaitDeliveries(["ids delivered": 3])
            try await TestStore.allow(on: "updates", at: folder.path + "/center.sqlite")
            try await center.receive(Fixture.packet(attack: 1, number: 1, host: "host-5"))
            try await center.awaitDeliveries(["ids delivered": 4])
        }
    }

    @Test func `an update whose end can't be stored holds up no rule`() async throws {
        try await withCenter { center in
            try await center.receive(Fixture.packet(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            try await TestStore.refuse("UPDATE", on: "updates", when: "NEW.state = 'expired'", at: folder.path + "/center.sqlite")
            clock.advance(milliseconds: 91 * TestClock.day)
            try await center.receive(Fixture.packet(attack: 2, host: "host-2"))
            try await eventually("the other attack's rule alone is in the IDS") {
                await ids.rules.map(\.sid) == [Fixture.number(attack: 2)]
            }
        }
    }

    @Test func `an entry of the feed that can't be stored is passed over, and asked for again after a start`() async throws {
        _ = try openStore()
        try await refuse("updates", when: "NEW.signature_id = '\(Fixture.signature(attack: 2).id)'")
        let global = FakeGlobalCenter()
        for attack in UInt8(1)...3 { await global.offer(Fixture.update(attack: attack)) }
        try await withCenter(global) { center in
            try await center.awaitDeliveries(["ids delivered": 2])
            let told = try await center.status().events.filter { $0.step == .unusable }
            #expect(told.count == 1 && told.first?.subject == "feed" && told.first?.detail.contains("entry 2") == true, "\(told)")
            #expect(try await center.status().subscriptionCursor == 3)
        }
        try await TestStore.allow(on: "updates", at: folder.path + "/center.sqlite")
        try await withCenter(global) { center in
            try await center.awaitDeliveries(["ids delivered": 3])
            #expect(try await center.status().updates == ["proven": 3], "nothing is taken twice")
        }
    }

    @Test func `an entry of the feed that can't be read is passed over, and a later version asks for it again`() async throws {
        let global = FakeGlobalCenter()
        await global.offer(Fixture.update(attack: 1))
        await global.offerUnreadable("it is of version 9")
        await global.offer(Fixture.update(attack: 3))
        try await withCenter(global) { center in
            try await center.awaitDeliveries(["ids delivered": 2])
            #expect(try await center.status().subscriptionCursor == 3)
            let told = try await center.status().events.filter { $0.step == .unusable }
            #expect(told.map(\.detail) == ["entry 2 of the global center's feed is passed over: it is of version 9"])
        }
        // What is told once is told again only when the feed was read again.
        await global.makeReadable(Fixture.update(attack: 2))
        try await withCenter(global) { center in
            try await center.awaitDeliveries(["ids delivered": 3])
            #expect(try await center.status().updates == ["proven": 3])
        }
        try await withCenter(global) { center in
            await global.offer(Fixture.update(attack: 4))
            try await center.awaitDeliveries(["ids delivered": 4])
            #expect(try await center.status().events.count { $0.step == .received && $0.subject == "feed" } == 1, "it was read anew once")
        }
    }
}
