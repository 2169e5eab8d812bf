// SPDX-License-Identifier: Apache-2.0

@testable import CenterAnalysis
import CenterServer
import EpitopeModel
import GRDB
import LocalCenter
import Logging
import PacketCoding
import Scheduling
import Signatures
import TestSupport
import Testing

@testable import CenterStore
@testable import GlobalCenter

@Suite("The global center correlates over sites and publishes")
struct GlobalCenterTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/global.sqlite", clock: TestClock().clock)
    }

    private func withCenter(
        threshold: Int = 100, trusting trusted: String = "a", _ body: (GlobalCenterService) async throws -> Void
    ) async throws {
        var configuration = GlobalCenterConfiguration()
        configuration.analysis.thresholdPoints = threshold
        configuration.analysis.requireGoodware = false
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = GlobalCenterService(configuration: configuration, store: store, logger: logger)
        try await store.setTrust(in: site(trusted), to: true, by: "test")
        let task = Task { try await service.run() }
        do {
            try await body(service)
        } catch {
            task.cancel()
            throw error
        }
        task.cancel()
        _ = await task.result
    }

    private func forward(attack: UInt8, number: Int = 0, signature: Signature? = nil) -> ForwardedPacket {
        ForwardedPacket(
            packet: Fixture.packet(attack: attack, number: number), reporter: "host-1",
            signature: signature ?? Fixture.signature(attack: attack))
    }

    private func site(_ name: String) -> Identity {
        Identity(role: .localCenter, name: name)
    }

    @Test func `a forwarded attack is published`() async throws {
        try await withCenter { center in
            let receipt = try await center.receive(forward(attack: 1), from: site("a"))
            #expect(receipt.id == forward(attack: 1).id)
            let updates = try await center.updates(after: .start, waitSeconds: 60, for: site("b")).entries
            #expect(updates.map(\.sequence) == [1])
            #expect(updates.first?.update?.signature == Fixture.signature(attack: 1))
            #expect(updates.first?.update?.origin == .global(sequence: 1))
            #expect(updates.first?.update?.proof.passed == true)
            let last = try #require(updates.first).position
            #expect(try await center.updates(after: last, waitSeconds: 0, for: site("b")) == FeedPage())
        }
    }

    @Test func `what can't be read of its updates is mended, and subscribers get what they passed over`() async throws {
        let attacks = [UInt8(1), 2, 3, 4]
        try await withCenter { center in
            for attack in attacks { _ = try await center.receive(forward(attack: attack), from: site("a")) }
            try await eventually("all are published") { try await store.feedEnd() == 4 }
        }
        let before = try await store.feedPage(after: .start).entries
        func sequence(_ attack: UInt8) throws -> Int64 {
            try #require(before.first { $0.update?.signature == Fixture.signature(attack: attack) }).sequence
        }
        let (own, published, both) = (try sequence(1), try sequence(2), try sequence(3))
        try await store.transaction { transaction in
            try transaction.db.execute(sql: "UPDATE updates SET body = '{' WHERE sequence IN (?, ?)", arguments: [own, both])
            try transaction.db.execute(sql: "UPDATE feed SET body = '{' WHERE sequence IN (?, ?)", arguments: [published, both])
        }
        let end = try #require(before.last).position
        try await withCenter { center in
            try await eventually("all can be read again") { try await store.feedPage(after: .start).entries.count == 4 }
            let feed = try await store.feedPage(after: .start).entries
            #expect(Set(feed.compactMap(\.update?.signature)) == Set(attacks.map { Fixture.signature(attack: $0) }))
            #expect(feed.allSatisfy { $0.update?.origin == .global(sequence: $0.sequence) && $0.ruleNumber != nil })
            #expect(feed.first { $0.update?.signature == Fixture.signature(attack: 1) }?.sequence == own)
            let later = try await center.updates(after: end, waitSeconds: 0, for: site("b"))
            #expect(!later.isFromStart)
            #expect(Set(later.entries.compactMap(\.update?.signature)) == [Fixture.signature(attack: 2), Fixture.signature(attack: 3)])
            #expect(try await store.status().updates == ["proven": 4])
            #expect(try await store.mendUpdates() == 0)
        }
    }

    @Test func `one site counts once however many of its hosts report`() async throws {
        try await withCenter(threshold: 200) { center in
            for number in 0..<3 {
                _ = try await center.receive(forward(attack: 1, number: number), from: site("a"))
            }
            try await eventually("all are analysed") {
                try await store.status().reports == ["analysed": 3]
            }
            #expect(try await store.feedPage(after: .start).entries.isEmpty)
            _ = try await center.receive(forward(attack: 1, number: 9), from: site("b"))
            #expect(try await center.updates(after: .start, waitSeconds: 60, for: site("a")).entries.count == 1)
        }
    }

    /// What a site forwards of several hosts' weak evidence.
    private func weak(number: Int = 0, claiming conclusion: SiteConclusion?) -> ForwardedPacket {
        ForwardedPacket(
            packet: Fixture.packet(attack: 1, number: number, evidence: [.memoryFile]), reporter: "host-1",
            signature: Fixture.signature(attack: 1), conclusion: conclusion)
    }

    private let concluded = SiteConclusion(points: 120, hosts: 3, grade: .corroborated)

    @Test func `what a site concluded from weak evidence counts, and is told`() async throws {
        try await withCenter { center in
            _ = try await center.receive(weak(claiming: concluded), from: site("a"))
            let updates = try await center.updates(after: .start, waitSeconds: 60, for: site("b")).entries
            #expect(updates.map { $0.update?.signature } == [Fixture.signature(attack: 1)])
            let weighed = try await store.events(subject: weak(claiming: nil).id).filter { $0.step == .weighed }
            #expect(
                weighed.map(\.detail) == ["100 of 100 points, threshold reached; the site concluded: 120 points of 3 hosts, corroborated"])
        }
    }

    @Test func `a site of before that concludes nothing counts by its packet`() async throws {
        try await withCenter { center in
            _ = try await center.receive(weak(claiming: nil), from: site("a"))
            try await eventually("it is analysed") { try await store.status().reports == ["analysed": 1] }
            #expect(try await store.events(limit: 100).last { $0.step == .weighed }?.detail == "40 of 100 points")
        }
    }

    @Test func `a site that claims many hosts has one site's share`() async throws {
        try await withCenter(threshold: 200) { center in
            try await center.noteSource(of: site("a"), address: "192.0.2.1")
            try await center.noteSource(of: site("b"), address: "198.51.100.1")
            let lie = SiteConclusion(points: 4_000_000_000, hosts: 4_000_000_000, grade: .confirmed)
            for number in 0..<3 { _ = try await center.receive(weak(number: number, claiming: lie), from: site("a")) }
            try await eventually("all are analysed") { try await store.status().reports == ["analysed": 3] }
            #expect(try await store.feedPage(after: .start).entries.isEmpty)
            _ = try await center.receive(weak(number: 9, claiming: concluded), from: site("b"))
            let published = try await center.updates(after: .start, waitSeconds: 60, for: site("c")).entries
            #expect(published.count == 1)
            let update = try await store.status().latestUpdates.first
            let stored = try await store.updates(ofSignature: try #require(update).signatureID).last
            #expect(stored?.support?.reporters == 2 && stored?.support?.points == 200, "two sites said so, whatever they claim")
            #expect(stored?.support.map { $0.grade < .confirmed } == true)
        }
    }

    @Test func `a conclusion about a packet that the center has is taken by itself, and once`() async throws {
        // The host sent it straight; or the site forwarded it before it concluded anything.
        for (number, sender) in [Fixture.host, site("a")].enumerated() {
            let forward = weak(number: number, claiming: concluded)
            try await withCenter(threshold: 1000) { center in
                if sender == Fixture.host {
                    _ = try await center.receive(ReceivedPacket(forward.packet), from: Fixture.host)
                } else {
                    _ = try await center.receive(weak(number: number, claiming: nil), from: sender)
                }
                #expect(try await !center.receive(forward, from: site("a")).wasKnown)
                #expect(try await center.receive(forward, from: site("a")).wasKnown, "an answer that was lost")
                #expect(try await center.receive(weak(number: number, claiming: nil), from: site("a")).wasKnown)
                try await eventually("both are analysed") { try await store.status().reports == ["analysed": 2 + 2 * number] }
            }
        }
        // The host's 40, and the site's share of what it concluded.
        #expect(try await store.events(limit: 100).last { $0.step == .weighed }?.detail.hasPrefix("140 of 1000 points") == true)
        #expect(try await store.status().clusters == 1)
    }

    @Test func `a host that reports directly is a reporter of its own`() async throws {
        try await withCenter(threshold: 200, trusting: "host-1") { center in
            _ = try await center.receive(forward(attack: 1), from: site("host-1"))
            _ = try await center.receive(ReceivedPacket(Fixture.packet(attack: 1, number: 5)), from: Fixture.host)
            #expect(try await center.updates(after: .start, waitSeconds: 60, for: site("a")).entries.count == 1)
        }
    }

    @Test func `a packet sent directly and forwarded counts once`() async throws {
        try await withCenter(threshold: 200) { center in
            _ = try await center.receive(ReceivedPacket(Fixture.packet(attack: 1)), from: Fixture.host)
            #expect(try await center.receive(forward(attack: 1), from: site("a")).wasKnown)
        }
    }

    @Test func `a site's update counts as its evidence`() async throws {
        try await withCenter { center in
            let update = Fixture.update(attack: 1)
            let receipt = try await center.receive(update, from: site("a"))
            #expect(receipt.id == update.signature.id)
            let published = try await center.updates(after: .start, waitSeconds: 60, for: site("b")).entries
            #expect(published.first?.update?.signature == update.signature)
        }
    }

    @Test func `a signature that does not match its packet is replaced by the window`() async throws {
        try await withCenter { center in
            let foreign = forward(attack: 1, signature: Fixture.signature(attack: 2))
            _ = try await center.receive(foreign, from: site("a"))
            let updates = try await center.updates(after: .start, waitSeconds: 60, for: site("b")).entries
            #expect(updates.first?.update?.signature.tokens == Fixture.signature(attack: 1).tokens)
        }
    }

    @Test func `a malformed signature is refused`() async throws {
        try await withCenter { center in
            let bad = forward(attack: 1, signature: Signature(tokens: [], context: .any))
            let error = await #expect(throws: EpitopeError.self) { try await center.receive(bad, from: site("a")) }
            #expect(error?.code == .signatureMalformed)
        }
    }

    @Test func `a waiting subscriber is woken by the publication`() async throws {
        try await withCenter { center in
            async let waiting = center.updates(after: .start, waitSeconds: 60, for: site("b"))
            _ = try await center.receive(forward(attack: 1), from: site("a"))
            #expect(try await waiting.entries.count == 1)
        }
    }

    @Test func `a subscriber that leaves gets an empty answer`() async throws {
        try await withCenter { center in
            let waiting = Task { try await center.updates(after: .start, waitSeconds: 60, for: site("b")) }
            waiting.cancel()
            let found = try await waiting.value
            #expect(found == FeedPage())
        }
    }

    @Test func `a withdrawn update is no longer published, and its withdrawal is`() async throws {
        try await withCenter { center in
            let id = Fixture.signature(attack: 1).id
            _ = try await center.receive(forward(attack: 1), from: site("a"))
            let first = try #require(try await center.updates(after: .start, waitSeconds: 60, for: site("b")).entries.first)
            async let waiting = center.updates(after: first.position, waitSeconds: 60, for: site("b"))
            try await store.withdraw(signatureID: id, reason: "false alarm")
            await center.wake()
            let withdrawal = FeedEntry.Change.withdrawal(.init(signatureID: id, reason: "false alarm"))
            #expect(try await waiting.entries.map(\.change) == [withdrawal])
            let all = try await center.updates(after: .start, waitSeconds: 0, for: site("b")).entries
            #expect(all.map(\.change) == [withdrawal] && all.map(\.sequence) == [2])
            try await store.withdraw(signatureID: id, reason: "as I said")
            #expect(try await store.feedEnd() == 2, "it is sent once")

            try await store.reinstate(signatureID: id)
            let again = try await center.updates(after: all[0].position, waitSeconds: 0, for: site("b")).entries
            #expect(again.map(\.update?.signature) == [Fixture.signature(attack: 1)])
            #expect(again.map(\.update?.revision) == [2] && again.map(\.update?.origin) == [.global(sequence: 3)])
        }
    }

    @Test func `a position of another feed is answered with the beginning`() async throws {
        try await withCenter { center in
            _ = try await center.receive(forward(attack: 1), from: site("a"))
            let first = try #require(try await center.updates(after: .start, waitSeconds: 60, for: site("b")).entries.first)
            #expect(first.position.mark != 0)
            // Of another center; of this one before it was put back; of a site that kept no marks.
            for position in [
                FeedPosition(sequence: 1, mark: first.position.mark ^ 1), FeedPosition(sequence: 7, mark: first.position.mark),
                FeedPosition(sequence: 1),
            ] {
                let page = try await center.updates(after: position, waitSeconds: 60, for: site("b"))
                #expect(page == FeedPage(entries: [first], isFromStart: true))
            }
        }
    }

    @Test func `a report that publishes nothing wakes no subscriber`() async throws {
        let watch = FeedWatch(store: store)
        await watch.look()
        let count = watch.signal.count
        await watch.look()
        #expect(watch.signal.count == count)
        try await store.transaction { _ = try $0.publish(Fixture.update(attack: 1), revising: []) }
        await watch.look()
        #expect(watch.signal.count == count + 1)
    }

    @Test(.enabled(if: TestStore.isFile)) func `who asks for the end of the feed goes along it`() async throws {
        let plan = try await store.snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "EXPLAIN QUERY PLAN " + StoreTransaction.published, arguments: [1, 1, 1])
                .map { $0["detail"] as String }
        }
        #expect(plan.first == "SEARCH f USING INTEGER PRIMARY KEY (rowid>?)")
        #expect(!plan.contains { $0.contains("TEMP B-TREE") || $0.hasPrefix("SCAN") }, "\(plan)")
    }

    @Test func `hosts can be excluded`() throws {
        var configuration = GlobalCenterConfiguration()
        configuration.acceptsHosts = false
        let service = GlobalCenterService(configuration: configuration, store: store, logger: Logger(label: "test"))
        #expect(!service.accepts.contains(.packets))
        #expect(service.accepts.contains(.forwards))
    }
}
