// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import EpitopeModel
import GRDB
import PacketCoding
import Rendering
import SecureChannel
import Signatures
import TestSupport
import Testing

@testable import CenterStore

@Suite("What a center keeps, for how long, and how it is found")
struct TrailTests {
    private let folder: TemporaryFolder
    private let store: CenterStore
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
    }

    @Test func `decisions stay a year longer in the trail than the steps of packets`() async throws {
        let token: [UInt8] = Array(0..<32)
        try await store.addToken(
            secretHash: token, grant: EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: clock.clock.nowMilliseconds + 1000))
        _ = try await store.redeemToken(
            secretHash: token, by: EnrolmentApplicant(), issuedMilliseconds: clock.clock.nowMilliseconds,
            nowMilliseconds: clock.clock.nowMilliseconds)
        #expect(try await store.noteRenewal(of: Fixture.host, from: 1, to: 1))
        try await store.revoke(Fixture.host, nowMilliseconds: clock.clock.nowMilliseconds)
        try await store.transaction { try $0.record(.weighed, "packet", "1 of 100 points") }
        clock.advance(milliseconds: 31 * TestClock.day)
        try await store.prune(olderThanDays: 30)
        #expect(try await store.events().map(\.step) == [.tokenMade, .enrolled, .renewed, .revoked])
        clock.advance(milliseconds: 366 * TestClock.day)
        try await store.prune(olderThanDays: 30)
        #expect(try await store.events().isEmpty)
        #expect(try await store.hasEnrolled(Fixture.host), "who has enrolled is known for good")
    }

    @Test func `the events of one subject are found without looking at the others`() async throws {
        if TestStore.isFile {
            let plan = try await store.snapshot { transaction in
                try Row.fetchAll(
                    transaction.db, sql: "EXPLAIN QUERY PLAN " + StoreTransaction.selectEvents(ofOneSubject: true), arguments: ["a", 1, 10]
                ).map { $0["detail"] as String }
            }
            #expect(plan == ["SEARCH events USING INDEX events_of_subject (subject=? AND seq>?)"])
        }
        try await store.transaction { transaction in
            for subject in ["a", "b", "a"] { try transaction.record(.weighed, subject, "") }
        }
        #expect(try await store.events(subject: "a").map(\.sequence) == [1, 3])
        #expect(try await store.events().map(\.sequence) == [1, 2, 3])
    }

    @Test func `updates that ended are removed, with their numbers; those in force and the places in the feed stay`() async throws {
        try await store.transaction { transaction in
            for (attack, days) in [(1, 90), (2, 400)] as [(UInt8, Int)] {
                var update = Fixture.update(attack: attack)
                update.lifetimeDays = days
                let rule = try transaction.rule(for: update.signature.id)
                #expect(try transaction.assignSID(toRule: rule, of: update.signature.id, isPublished: true) == nil)
                let id = try transaction.add(
                    try transaction.publish(update, revising: []), of: nil, rule: rule, state: .proven, reason: nil)
                try transaction.addDelivery(of: id, to: .feed, state: .delivered)
            }
        }
        let position = try await store.feedPage(after: .start).entries[0].position
        clock.advance(milliseconds: 91 * TestClock.day)
        try await store.expireUpdates()
        try await store.prune(olderThanDays: 30)
        #expect(try await store.status().updates == ["proven": 1, "expired": 1], "it can be looked at for as long as packets")
        clock.advance(milliseconds: 31 * TestClock.day)
        try await store.prune(olderThanDays: 30)
        #expect(try await store.status().updates == ["proven": 1])
        let rules = try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM rules") }
        #expect(rules == 1)
        let page = try await store.feedPage(after: position)
        #expect(!page.isFromStart && page.entries.map(\.sequence) == [2])
    }

    @Test func `an entry of the feed that can't be read keeps none behind it from subscribers`() async throws {
        for attack in UInt8(1)...2 {
            try await store.transaction { transaction in
                let update = Fixture.update(attack: attack)
                let rule = try transaction.rule(for: update.signature.id)
                _ = try transaction.add(
                    try transaction.publish(update, revising: []), of: nil, rule: rule, state: .proven, reason: nil)
            }
        }
        try await store.transaction { try $0.db.execute(sql: "UPDATE feed SET body = '{' WHERE sequence = 1") }
        #expect(try await store.feedPage(after: .start).entries.map(\.sequence) == [2])
        #expect(try await store.feedPage(after: .start, limit: 1).entries.map(\.sequence) == [2], "nor does a page full of them")
    }

    @Test(arguments: [1, 1500, 3000, 1 << 20]) func `a page of the feed has so many bytes, and the next ones have the rest`(
        maxBytes: Int
    ) async throws {
        let attacks = Array(UInt8(1)...9)
        let sizes = try await store.transaction { transaction in
            try attacks.map { attack in
                let update = Fixture.update(attack: attack)
                let rule = try transaction.rule(for: update.signature.id)
                let published = try transaction.publish(update, revising: [])
                _ = try transaction.add(published, of: nil, rule: rule, state: .proven, reason: nil)
                return try RowCoding.json(published).utf8.count
            }
        }
        try await store.transaction { try $0.db.execute(sql: "UPDATE feed SET body = '{' WHERE sequence = 4") }
        var pages: [[FeedEntry]] = []
        while true {
            let page = try await store.feedPage(after: pages.last?.last?.position ?? .start, maxBytes: maxBytes)
            guard !page.entries.isEmpty else { break }
            pages.append(page.entries)
        }
        #expect(pages.flatMap { $0 }.map(\.sequence) == [1, 2, 3, 5, 6, 7, 8, 9])
        let largest = try #require(sizes.max())
        #expect(pages.allSatisfy { $0.count == 1 || $0.count * largest <= maxBytes + largest })
        #expect(maxBytes == 1 ? pages.allSatisfy { $0.count == 1 } : maxBytes < 1 << 20 || pages.count == 1)
    }

    @Test func `a look at the rules decodes those that changed`() async throws {
        for attack in UInt8(1)...3 {
            try await store.transaction { transaction in
                let update = Fixture.update(attack: attack)
                let rule = try transaction.rule(for: update.signature.id)
                _ = try transaction.assignSID(toRule: rule, of: update.signature.id)
                let id = try transaction.add(update, of: nil, rule: rule, state: .proven, reason: nil)
                try transaction.addDelivery(of: id, to: .ids, state: .delivered)
            }
        }
        #expect(try await store.ruleSet().inForce.count == 3)
        let first = store.ruleCache.decoded
        #expect(try await store.ruleSet().inForce.count == 3)
        #expect(first == 3 && store.ruleCache.decoded == first)
        var changed = Fixture.update(attack: 2)
        changed.lifetimeDays = 91
        try await store.transaction { [changed] transaction in
            let latest = try transaction.latestUpdate(of: changed.signature.id)
            try transaction.replaceProof(of: try #require(latest).id, with: changed)
        }
        #expect(try await store.ruleSet().inForce.contains { $0.update == changed })
        #expect(store.ruleCache.decoded == first + 1)
    }

    @Test func `what is withdrawn stays so when its update is gone`() async throws {
        let id = Fixture.signature(attack: 1).id
        try await store.transaction { transaction in
            let rule = try transaction.rule(for: id)
            _ = try transaction.add(Fixture.update(attack: 1), of: nil, rule: rule, state: .proven, reason: nil)
        }
        try await store.withdraw(signatureID: id, reason: "false alarm")
        clock.advance(milliseconds: 200 * TestClock.day)
        try await store.prune(olderThanDays: 30)
        #expect(try await store.status().updates.isEmpty)
        #expect(try await store.snapshot { try $0.withdrawalReason(of: id) } == "false alarm")
    }

    @Test func `nobody keeps another's packet out by its id`() async throws {
        let theirs = Fixture.packet(attack: 2, host: "host-1")
        var forged = Fixture.packet(attack: 1, host: "host-2")
        forged.id = theirs.id
        func add(_ packet: ExtractedPacket, _ host: String) async throws -> Receipt {
            try await store.add(Report(sender: Identity(role: .host, name: host), body: .packet(ReceivedPacket(packet))))
        }
        #expect(try await !add(forged, "host-2").wasKnown)
        let receipt = try await add(theirs, "host-1")
        #expect(!receipt.wasKnown && receipt.id == theirs.id)
        #expect(try await add(theirs, "host-1").wasKnown)
        #expect(try await add(forged, "host-2").wasKnown)
        let forward = ForwardedPacket(packet: theirs, reporter: "host-1", signature: Fixture.signature(attack: 2))
        #expect(try await store.add(Report(sender: Fixture.site, body: .forward(forward))).wasKnown, "it is the same host's")
        #expect(try await store.status().reports == ["stored": 2])
    }
}
