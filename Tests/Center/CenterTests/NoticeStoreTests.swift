// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Notifications
import SecureChannel
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// What the store puts down of what is to be told, in a file and in a database.
@Suite struct NoticeStoreTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: "\(folder.path)/center.sqlite", clock: clock.clock)
    }

    private func plan(_ names: [String] = ["soc"], maxWaiting: Int = 100, window: Int64 = 0) -> NoticePlan {
        NoticePlan(
            rules: NotificationRules([NotificationRule(destinations: Set(names))]),
            destinations: Dictionary(names.map { ($0, .init(maxWaiting: maxWaiting, windowMilliseconds: window)) }) { first, _ in first })
    }

    private func record(_ step: CenterEvent.Step, _ subject: String) async throws {
        try await store.transaction { try $0.record(step, subject, "because") }
    }

    private func waiting(_ name: String = "soc") async throws -> [Notice] {
        try await store.noticesDue(for: name, limit: 1000).notices.map(\.notice)
    }

    @Test func `events are put down in steps, each once`() async throws {
        _ = try await store.planNotices(plan())
        for number in 1...(CenterStore.noticedEvents + 5) { try await record(.revoked, "host-\(number)") }
        let first = try await store.planNotices(plan())
        #expect(first.isMore)
        let second = try await store.planNotices(plan(maxWaiting: 1000))
        #expect(!second.isMore)
        #expect(try await store.planNotices(plan()).dropped == [:])
    }

    @Test func `of too many the least severe are dropped, counted, and an event tells of it`() async throws {
        let names = ["soc", "other"]
        var plan = plan(names, maxWaiting: 3)
        plan.destinations["other"]?.maxWaiting = 100
        _ = try await store.planNotices(plan)
        try await record(.identityShared, "high-1")
        for number in 1...4 { try await record(.tokenMade, "low-\(number)") }
        try await record(.identityShared, "high-2")
        try await record(.enrolled, "informational")
        #expect(try await store.planNotices(plan).dropped == ["soc": 4])
        #expect(try await waiting().map(\.event.subject) == ["high-1", "low-4", "high-2"])
        _ = try await store.planNotices(plan)
        let told = try await waiting("other")
        #expect(told.count == 8)
        #expect(told.last?.event.kind == .noticesDropped)
        #expect(told.last?.event.subject == "soc")
        #expect(try await store.noticeStatus()["soc"]?.dropped == 4)
        // More are counted, and told an hour later.
        try await record(.identityShared, "high-3")
        #expect(try await store.planNotices(plan).dropped == ["soc": 1])
        #expect(try await store.events().count { $0.step == .noticesDropped } == 1)
        clock.advance(milliseconds: 7_200_000)
        try await record(.identityShared, "high-4")
        _ = try await store.planNotices(plan)
        #expect(try await store.events().last { $0.step == .noticesDropped }?.detail.hasPrefix("2 were dropped") == true)
    }

    @Test func `repeats of a kind are told together at the window's end`() async throws {
        let plan = plan(window: 300_000)
        _ = try await store.planNotices(plan)
        try await record(.revoked, "host-0")
        _ = try await store.planNotices(plan)
        #expect(try await waiting().map(\.count) == [1])
        clock.advance(milliseconds: 10_000)
        for number in 1...15 { try await record(.revoked, "host-\(number)") }
        try await record(.tokenMade, "another-kind")
        let round = try await store.planNotices(plan)
        #expect(try await waiting().map(\.event.subject) == ["host-0", "another-kind"])
        let due = try #require(round.nextDueMilliseconds)
        #expect(due == clock.clock.nowMilliseconds + 290_000)
        clock.advance(milliseconds: 290_000)
        let all = try await waiting()
        #expect(all.map(\.count) == [1, 1, 15])
        #expect(all.last?.subjects.count == Notice.maxSubjects)
        #expect(all.last?.event.subject == "host-15")
        // The next window begins with those that were told together.
        try await record(.revoked, "host-16")
        _ = try await store.planNotices(plan)
        #expect(try await waiting().count == 3)
        clock.advance(milliseconds: 700_000)
        try await record(.revoked, "host-17")
        _ = try await store.planNotices(plan)
        #expect(try await waiting().map(\.count) == [1, 1, 15, 1, 1])
    }

    @Test func `a record that can't be read is told apart, and stops no other`() async throws {
        _ = try await store.planNotices(plan())
        for number in 1...3 { try await record(.revoked, "host-\(number)") }
        _ = try await store.planNotices(plan())
        try await store.transaction {
            try $0.db.execute(sql: "UPDATE notices SET body = ? WHERE body LIKE ?", arguments: ["{", "%host-2%"])
        }
        let due = try await store.noticesDue(for: "soc", limit: 10)
        #expect(due.notices.map(\.notice.event.subject) == ["host-1", "host-3"])
        #expect(due.damaged.count == 1)
        let error = EpitopeError(.storeUnusable, "damaged", remedy: "none")
        try await store.noticesTold(to: "soc", due.notices.map(\.number), refused: due.damaged, refusal: error)
        let status = try #require(try await store.noticeStatus()["soc"])
        #expect((status.waiting, status.told, status.refused) == (0, 2, 1))
    }

    @Test func `an event about a host has its address, and one about a signature its grade`() async throws {
        let identity = Identity(role: .host, name: "web-1")
        let sighting = PeerSighting(
            identity: identity, seenMilliseconds: 1, address: "192.0.2.7", certificateUntilMilliseconds: 2, note: SenderNote())
        try await store.note([sighting])
        _ = try await store.planNotices(plan())
        try await record(.revoked, "web-1")
        try await record(.withheld, "web-1")
        try await record(.revoked, "unknown")
        _ = try await store.planNotices(plan())
        let events = try await waiting().map(\.event)
        #expect(events.map(\.hosts) == [["web-1"], ["web-1"], []])
        #expect(events.map { $0.addresses.map(\.description) } == [["192.0.2.7"], ["192.0.2.7"], []])
    }
}
