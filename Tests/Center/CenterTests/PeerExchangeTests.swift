// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import CenterStore
import EpitopeModel
import LocalCenter
import Rendering
import SecureChannel
import Signatures
import Synchronization
import TestSupport
import Testing

extension FakeGlobalCenter: PeerLink {}

/// The sites that a center reads, as a person adds and removes them.
private final class FakePeers: PeerSource {
    private let links = Mutex<[String: any PeerLink]>([:])

    init(_ links: [String: any PeerLink]) { self.links.withLock { $0 = links } }

    func current() -> [String: any PeerLink] { links.withLock { $0 } }
}

/// As both stores are to do it (Scripts/test-postgresql).
@Suite("Sites take each other's updates, and it is counted") struct PeerExchangeTests {
    private let folder: TemporaryFolder
    private let ids = FakeIDS()
    private let north = FakeGlobalCenter()

    init() throws {
        folder = try TemporaryFolder()
    }

    private func withCenter(_ peers: [String: any PeerLink], _ body: (RunningCenter) async throws -> Void) async throws {
        let center = try RunningCenter(folder: folder, ids: ids, peers: FakePeers(peers))
        do {
            try await body(center)
        } catch {
            await center.kill()
            throw error
        }
        await center.kill()
    }

    @Test func `an update is proven here anew, its withdrawal ends it, and the feed is read on after a restart`() async throws {
        try await withCenter(["north": north]) { center in
            await north.offer(Fixture.update(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            #expect(await ids.rules.map(\.update.signature) == [Fixture.signature(attack: 1)])
            #expect(try await center.store.position(inFeedOf: "north").sequence == 1)
            // What this version can't read is passed over, and what comes behind it isn't.
            await north.offerUnreadable("of a later version")
            await north.withdraw(Fixture.signature(attack: 1).id)
            try await eventually("it has ended") { try await center.status().updates == ["expired": 1] }
            let counters = center.store.counters
            #expect(PeerEntryEnd.allCases.map { counters.peerEntries.value($0) } == [1, 1, 1])
            #expect(counters.peersRead.value == 1)
            #expect(try #require(counters.peerPolls.values[["north", "news"]]) >= 1)
            #expect(counters.lanes.ages.contains { $0.lane == .peers })
        }
        try await withCenter(["north": north]) { center in
            await north.offer(Fixture.update(attack: 2))
            try await eventually("the second") { try await center.status().updates["proven"] == 1 }
            #expect(try await center.status().updates == ["expired": 1, "proven": 1], "the first is not read again")
        }
    }

    @Test func `a peer that doesn't answer holds up no other, and is counted by its name`() async throws {
        let south = FakeGlobalCenter(.answers(EpitopeError(.centerUnreachable, "nobody answers", remedy: "none")))
        try await withCenter(["north": north, "south": south]) { center in
            await north.offer(Fixture.update(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            let counters = center.store.counters
            try await eventually("a failure") { counters.peerPolls.values[["south", "failed"]].map { $0 > 0 } ?? false }
            #expect(counters.peerPolls.values[["north", "failed"]] == 0 && counters.peerPolls.values[["south", "news"]] == 0)
            await south.become(.receives)
            await south.offer(Fixture.update(attack: 2))
            try await eventually("it is read again") { counters.peerPolls.values[["south", "news"]] == 1 }
        }
    }

    @Test func `a feed that counts anew is read from its beginning`() async throws {
        try await withCenter(["north": north]) { center in
            await north.offer(Fixture.update(attack: 1))
            try await center.awaitDeliveries(["ids delivered": 1])
            await north.forget()
            try await eventually("its position is forgotten") { try await center.store.position(inFeedOf: "north") == .start }
            await north.offer(Fixture.update(attack: 2))
            try await eventually("the new feed's first") { try await center.status().updates == ["proven": 2] }
        }
    }
}
