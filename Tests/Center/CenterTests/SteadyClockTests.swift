// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import GRDB
import PacketCoding
import Synchronization
import TestSupport
import Testing

@testable import CenterStore

/// A machine's clock that jumps ends no rule and removes no packet until it is believed.
struct SteadyClockTests {
    private static let hour = 3_600_000.0
    private static let day = 24 * hour

    private final class Doubt: Sendable {
        let isThere = Mutex(true)
    }

    private final class Ahead: Sendable {
        let milliseconds = Mutex(0.0)
    }

    @Test func `a clock that goes, and one that is set by less than an hour, is followed at once`() {
        var belief = ClockBelief(time: 1000, elapsed: 0)
        #expect(belief.time(wall: 2000, elapsed: 1000) == 2000)
        #expect(belief.time(wall: 2000 + Self.hour, elapsed: 1000) == 2000 + Self.hour)
        #expect(belief.time(wall: 2000, elapsed: 1000) == 2000)
        #expect(!belief.isDisbelieving)
    }

    @Test(arguments: [100 * day, -2 * day]) func `a clock that jumps is followed only after an hour`(jump: Double) {
        var belief = ClockBelief(time: 0, elapsed: 0)
        for minute in 0..<60 {
            let elapsed = Double(minute) * 60_000
            #expect(belief.time(wall: elapsed + jump, elapsed: elapsed) == elapsed)
            #expect(belief.isDisbelieving)
        }
        #expect(belief.time(wall: Self.hour + jump, elapsed: Self.hour) == Self.hour + jump)
        #expect(!belief.isDisbelieving)
    }

    @Test func `a clock that comes back in time was never followed, and one that jumps on begins anew`() {
        var belief = ClockBelief(time: 0, elapsed: 0)
        #expect(belief.time(wall: Self.day, elapsed: 0) == 0)
        #expect(belief.time(wall: 10_000, elapsed: 10_000) == 10_000)
        #expect(!belief.isDisbelieving)
        #expect(belief.time(wall: Self.day, elapsed: 20_000) == 20_000)
        let almost = 0.9 * Self.hour
        #expect(belief.time(wall: 9 * Self.day, elapsed: almost) == almost)
        #expect(belief.time(wall: 9 * Self.day, elapsed: 1.5 * Self.hour) == 1.5 * Self.hour)
    }

    @Test func `a center that starts with a clock far from its last event goes on from that; a rest of days is none`() {
        for (last, isFollowed) in [(49 * Self.day, true), (44 * Self.day, true), (10 * Self.day, false), (51 * Self.day, false)] {
            let clock = SteadyClock(wall: { 50 * Self.day }, onDisbelief: { _ in })
            clock.follow(last: Int64(last))
            let shown = clock.clock.preciseMilliseconds()
            #expect(abs(shown - (isFollowed ? 50 * Self.day : last)) < Self.hour)
        }
    }

    @Test(arguments: [-1.0, 1e300]) func `the time of a store's last events is not one damaged record's`(_ damaged: Double) async throws {
        let folder = try TemporaryFolder()
        let clock = TestClock()
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        #expect(try await store.lastEventMilliseconds() == nil)
        for number in 0..<3 { try await store.transaction { try $0.record(.pruned, "packets", "\(number)") } }
        // Commands go by the machine's clock, which may have been wrong.
        clock.advance(milliseconds: 400 * Int64(Self.day))
        for step in CenterEvent.ofCommands { try await store.transaction { try $0.record(step, "host-1", "") } }
        clock.advance(milliseconds: -400 * Int64(Self.day))
        try await store.transaction { transaction in
            try transaction.db.execute(
                sql: "UPDATE events SET time_ms = ? WHERE seq = (SELECT max(seq) FROM events WHERE step = 'pruned')", arguments: [damaged])
        }
        #expect(try await store.lastEventMilliseconds() == clock.clock.nowMilliseconds)
    }

    @Test func `nothing expires and nothing is pruned while the clock is a hundred days ahead, and all is there when it is right`()
        async throws
    {
        let folder = try TemporaryFolder()
        let ahead = Ahead()
        let start = 1_700_000_000_000.0
        let clock = SteadyClock(wall: { ahead.milliseconds.withLock { start + $0 } }, onDisbelief: { _ in })
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: Fixture.provers)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1)))))
        #expect(try await analyst.analyse() == 1)
        ahead.milliseconds.withLock { $0 = 100 * Self.day }
        #expect(try await store.expireUpdates() == 0)
        #expect(try await store.prune(olderThanDays: 30).packets == 0)
        #expect(try await store.status().updates == ["proven": 1])
        ahead.milliseconds.withLock { $0 = 0 }
        #expect(try await store.status().reports == ["analysed": 1])
    }

    @Test func `what came in while the clock was in doubt is kept as long as all else once it is believed`() async throws {
        let folder = try TemporaryFolder()
        let (time, doubt) = (Ahead(), Doubt())
        let now = 1_700_000_000_000.0
        let clock = CenterClock(
            preciseMilliseconds: { now + time.milliseconds.withLock(\.self) }, isDoubtful: { doubt.isThere.withLock(\.self) })
        // A center that was off for 40 days goes on from its last event.
        time.milliseconds.withLock { $0 = -40 * Self.day }
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock)
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 1),
            provers: Fixture.provers)
        #expect(try await store.prune(olderThanDays: 30).packets == 0)
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1)))))
        #expect(try await analyst.analyse() == 1)
        #expect(try await store.prune(olderThanDays: 30).packets == 0)
        // The clock is believed.
        time.milliseconds.withLock { $0 = 0 }
        doubt.isThere.withLock { $0 = false }
        #expect(try await store.prune(olderThanDays: 30).packets == 0)
        #expect(try await store.expireUpdates() == 0)
        #expect(try await store.status().updates == ["proven": 1])
        time.milliseconds.withLock { $0 = 29 * Self.day }
        #expect(try await store.prune(olderThanDays: 30).packets == 0)
        #expect(try await store.expireUpdates() == 1)
        time.milliseconds.withLock { $0 = 31 * Self.day }
        #expect(try await store.prune(olderThanDays: 30).packets == 1)
    }
}
