// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport
import Testing

@testable import CenterServer
@testable import SecureChannel

@Suite("A center knows when and where each peer was seen") struct PeerSightingsTests {
    private func sighting(_ name: String = "web", at time: Int64 = 1, from address: String = "10.0.0.1", machine: String? = "a")
        -> PeerSighting
    {
        PeerSighting(
            identity: Identity(role: .host, name: name), seenMilliseconds: time, address: address, certificateUntilMilliseconds: 100,
            note: SenderNote(version: "1.0.0", machine: machine))
    }

    @Test func `the latest of each is taken once, and again when it could not be written`() {
        var sightings = PeerSightings()
        sightings.note(sighting(at: 1))
        sightings.note(sighting(at: 2, from: "10.0.0.2"))
        sightings.note(sighting("mail", at: 3))
        let taken = sightings.take().sorted { $0.seenMilliseconds < $1.seenMilliseconds }
        #expect(taken == [sighting(at: 2, from: "10.0.0.2"), sighting("mail", at: 3)])
        #expect(sightings.take().isEmpty)
        sightings.giveBack(taken)
        sightings.note(sighting("mail", at: 4))
        #expect(sightings.take().map(\.seenMilliseconds).sorted() == [2, 4])
    }

    @Test func `a machine that comes back after another had its identity is one of two, and one that was started anew is not`() {
        var sightings = PeerSightings()
        for (machine, address) in [("a", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.7"), (nil, "10.0.0.7"), ("c", "10.0.0.8")] {
            sightings.note(sighting(from: address, machine: machine))
        }
        #expect(sightings.take().allSatisfy { $0.otherAddress == nil })
        sightings.note(sighting(from: "10.0.0.9", machine: "b"))
        sightings.note(sighting(from: "10.0.0.8", machine: "c"))
        let taken = sightings.take()
        #expect(taken.map(\.otherAddress) == ["10.0.0.9"])
        sightings.note(sighting(from: "10.0.0.8", machine: "c"))
        #expect(sightings.take().map(\.otherAddress) == [nil], "told once")
        sightings.giveBack(taken)
        #expect(sightings.take().map(\.otherAddress) == ["10.0.0.9"])
    }

    @Test func `more identities than there is room for take no more memory`() {
        var sightings = PeerSightings()
        for number in 0..<PeerSightings.max + 3 { sightings.note(sighting("host-\(number)")) }
        #expect(sightings.lost == 3)
        #expect(sightings.take().count == PeerSightings.max)
        sightings.note(sighting("another"))
        #expect(sightings.take().map(\.identity.name) == ["another"], "those that were written make room")
    }

    @Test func `what a sender says of itself is a short word or nothing`() {
        let said = [
            "epitope-version": "1.2.3-beta+4", "epitope-machine": "\u{1b}[2J", "epitope-protection": String(repeating: "x", count: 33),
        ]
        #expect(SenderNote { said[$0.rawValue] } == SenderNote(version: "1.2.3-beta+4"))
        let own = SenderNote.own(protection: "run", applications: BlockingApplication.word(BlockingApplication.allCases))
        #expect(SenderNote { header in own.headers.first { $0.name == header.rawValue }?.value } == own)
        #expect(own.version == Version.current && own.machine?.count == 16)
    }

    @Test func `whoever asks or sends is seen, who is refused is not, and all is stored at the end`() async throws {
        let service = try await TestCenter.run { center in
            try await center.client { client in _ = try await client.warmUp() }
            let revoked = try center.identity(.host, "revoked")
            await center.ledger.revoke(revoked.subject, nowMilliseconds: center.clock.now())
            try await center.client(revoked) { client in
                _ = await #expect(throws: EpitopeError.self) { try await client.send(Samples.packet()) }
            }
            #expect(await center.service.sightings.isEmpty)
            return center.service
        }
        let seen = try #require(await service.sightings.first)
        #expect(await service.sightings.count == 1)
        #expect(seen.identity == Identity(role: .host, name: "host-1") && seen.address == "127.0.0.1")
        #expect(seen.note == .own())
        #expect(seen.certificateUntilMilliseconds > seen.seenMilliseconds)
    }
}
