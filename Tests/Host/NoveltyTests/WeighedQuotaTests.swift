// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Novelty
import TestSupport
import Testing

@Suite struct WeighedQuotaTests {
    private let now: Int64 = 1_700_000_000_000
    private let day = DailyQuota.windowMilliseconds
    private let quota = WeighedQuota(DailyQuota(limit: 3))

    private func claim(_ program: UInt64, of owner: UInt64 = 1, points: Int = 100) -> QuotaClaim {
        QuotaClaim(points: points, program: program, owner: owner)
    }

    /// The places that packets get one after the other; `nil` for one that waits.
    private func places(_ claims: [QuotaClaim], _ quota: WeighedQuota? = nil) -> [WeighedQuota.Place?] {
        let quota = quota ?? self.quota
        var uses: [WeighedQuota.Use] = []
        return claims.map { claim in
            let place = quota.place(for: claim, uses: uses, nowMilliseconds: now)
            if let place { uses.append(.init(timeMilliseconds: now, claim: claim, isReserve: place == .reserve)) }
            return place
        }
    }

    @Test func `three of a program a day fit, a fourth waits`() {
        #expect(places(Array(repeating: claim(1), count: 4)) == [.usual, .usual, .usual, nil])
    }

    @Test func `decoys of a program do not take the place of another program's attack`() {
        let decoys = Array(repeating: claim(1), count: 20)
        #expect(places(decoys + [claim(2)]).last == .some(.reserve))
        #expect(places(decoys + [claim(2, of: 2)]).last == .some(.reserve))
    }

    @Test func `light evidence does not take the place of a whole attack`() {
        let light = Array(repeating: claim(1, points: 40), count: 20)
        let got = places(light + [claim(1)])
        #expect(got.prefix(20).count { $0 != nil } == quota.lightLimit)
        #expect(got.last == .some(.usual), "of the same program")
    }

    @Test func `however many programs a user makes, another user and another container are heard`() {
        let decoys = (1...50).map { claim(UInt64($0)) }
        let got = places(decoys + [claim(100, of: 2), claim(101, of: 2), claim(102, of: 3)])
        #expect(got.prefix(50).count { $0 != nil } == 4)
        #expect(got.suffix(3) == [.reserve, nil, .reserve])
    }

    @Test func `the reserve is bounded, too`() {
        let users = (1...50).map { claim(UInt64($0), of: UInt64($0)) }
        #expect(places(users).count { $0 != nil } == 2 * quota.quota.limit)
        #expect(places((1...5).map { claim(UInt64($0), of: UInt64($0), points: 80) }).count { $0 != nil } == quota.lightLimit)
    }

    @Test func `a quota of nothing has no reserve, and the smallest quotas keep what they can`() {
        #expect(places([claim(1)], WeighedQuota(DailyQuota(limit: 0))) == [nil])
        #expect(places([claim(1, points: 10), claim(1), claim(2)], WeighedQuota(DailyQuota(limit: 1))) == [.usual, nil, .reserve])
        #expect(
            places([claim(1, points: 10), claim(1, points: 10), claim(1)], WeighedQuota(DailyQuota(limit: 2))) == [.usual, nil, .usual])
    }

    @Test func `it is said when a packet's place is free`() {
        let uses = (0..<3).map { WeighedQuota.Use(timeMilliseconds: now + Int64($0) * 1000, claim: claim(1), isReserve: false) }
        #expect(quota.nextAllowed(for: claim(1), uses: uses, nowMilliseconds: now + 5000) == now + day)
        #expect(quota.nextAllowed(for: claim(2), uses: uses, nowMilliseconds: now + 5000) == now + 5000)
        // Two light ones are in the way of a third, until the first of them is a day old.
        let light = (0..<2).map {
            WeighedQuota.Use(timeMilliseconds: now + Int64($0) * 1000, claim: claim(1, points: 40), isReserve: false)
        }
        #expect(quota.nextAllowed(for: claim(3, points: 40), uses: light, nowMilliseconds: now + 5000) == now + day)
        #expect(WeighedQuota(DailyQuota(limit: 0)).nextAllowed(for: claim(1), uses: [], nowMilliseconds: now) == nil)
        #expect(quota.place(for: claim(1), uses: uses, nowMilliseconds: now + day) == .usual)
    }

    @Test func `what waits goes out by weight, and by turns of users and programs`() {
        func waiting(_ id: String, _ claim: QuotaClaim, _ age: Int64 = 0) -> WeighedQuota.Waiting {
            .init(id: id, timeMilliseconds: now - age, claim: claim)
        }
        let uses = [WeighedQuota.Use(timeMilliseconds: now, claim: claim(9), isReserve: false)]
        let many = (1...20).map { waiting("flood \($0)", claim(2), 1000 - Int64($0)) }
        let others = [
            waiting("reported", claim(9, of: 9), 5000), waiting("light", claim(3, of: 3, points: 40), 4000),
            waiting("late", claim(4, of: 4), 1), waiting("same user", claim(5), 0),
        ]
        let order = quota.inOrder((many + others).shuffled(), uses: uses, nowMilliseconds: now).map(\.id)
        #expect(order.prefix(4) == ["flood 1", "late", "light", "same user"])
        #expect(order.last == "reported")
        #expect(order.dropFirst(4).dropLast() == (2...20).map { "flood \($0)" }[...])
    }

    @Test func `a packet's claim names its program, user and container, and its strongest evidence`() {
        let packet = Samples.packet()
        var other = packet
        #expect(QuotaClaim(packet).points == 100)
        other.parameters.process.processID += 1
        other.parameters.process.threadID += 1
        #expect(QuotaClaim(other) == QuotaClaim(packet), "a process is made in no time")
        other.parameters.process.executable?.path = "/usr/sbin/another"
        #expect(QuotaClaim(other).program != QuotaClaim(packet).program && QuotaClaim(other).owner == QuotaClaim(packet).owner)
        other.parameters.process.userID = 1000
        #expect(QuotaClaim(other).owner != QuotaClaim(packet).owner)
        other = packet
        other.parameters.process.containerID = String(repeating: "c", count: 64)
        #expect(QuotaClaim(other).owner != QuotaClaim(packet).owner && QuotaClaim(other).program != QuotaClaim(packet).program)
        other.evidence = [Evidence(kind: .memoryFile, detail: "")]
        #expect(QuotaClaim(other).points == 40)
    }
}
