// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import LocalCenter
import Rendering
import Signatures
import TestSupport
import Testing

@Suite("A center that was restored says what it has lost")
struct RestoredCenterTests {
    /// A rule that was delivered after the backup: the store has no update of it.
    private let stranger = PresentRule(signatureID: "00112233445566778899aabbccddeeff", sid: 3_900_123, text: "drop udp any any ...")

    private func removals(of center: RunningCenter) async throws -> [CenterEvent] {
        try await center.store.events(subject: stranger.signatureID).filter { $0.step == .removed }
    }

    @Test func `a rule that the store knows nothing of leaves the IDS with an event`() async throws {
        let folder = try TemporaryFolder()
        let center = try RunningCenter(folder: folder, ids: FakeIDS(present: [stranger]))
        // Whatever else there is to deliver: the file is written anew by it.
        try await center.receive(Fixture.packet(attack: 1))
        try await center.awaitDeliveries(["ids delivered": 1])
        try await eventually("its leaving is an event") { try await removals(of: center).count == 1 }
        let detail = try await removals(of: center).first?.detail
        #expect(detail?.contains("sid 3900123") == true && detail?.hasSuffix(stranger.text) == true)
        try await center.receive(Fixture.packet(attack: 2, host: "host-2"))
        try await center.awaitDeliveries(["ids delivered": 2])
        #expect(try await removals(of: center).count == 1)
        #expect(try await center.store.events(subject: Fixture.signature(attack: 1).id).allSatisfy { $0.step != .removed })
        await center.kill()
    }

    @Test func `it is one only once the IDS has confirmed the rules without it`() async throws {
        let folder = try TemporaryFolder()
        let ids = FakeIDS(.isOutOfReach, present: [stranger])
        let center = try RunningCenter(folder: folder, ids: ids)
        try await center.receive(Fixture.packet(attack: 1))
        try await eventually("an attempt") { await ids.deliveries.count > 0 }
        #expect(try await removals(of: center).isEmpty)
        await ids.become(.confirms)
        try await eventually("its leaving is an event", seconds: 30) { try await removals(of: center).count == 1 }
        await center.kill()
    }

    @Test func `a rule of the store's own is none`() async throws {
        let folder = try TemporaryFolder()
        let first = try RunningCenter(folder: folder, ids: FakeIDS())
        try await first.receive(Fixture.packet(attack: 1))
        try await first.awaitDeliveries(["ids delivered": 1])
        await first.kill()
        let own = PresentRule(signatureID: Fixture.signature(attack: 1).id, sid: Fixture.number(attack: 1), text: "alert udp ...")
        let second = try RunningCenter(folder: folder, ids: FakeIDS(present: [own]))
        try await second.receive(Fixture.packet(attack: 2, host: "host-2"))
        try await second.awaitDeliveries(["ids delivered": 2])
        #expect(try await second.store.events(subject: own.signatureID).allSatisfy { $0.step != .removed })
        await second.kill()
    }
}
