// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import Novelty
import PacketCoding
import TestSupport
import Testing

@testable import HostStore

private let now: Int64 = 1_700_000_000_000
private let day = DailyQuota.windowMilliseconds

/// Packets beyond the quota: they wait, in the order in which they weigh, and are counted.
@Suite struct HeldPacketTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func store(_ settings: HostStoreSettings = HostStoreSettings()) throws -> HostStore {
        try HostStore(directory: folder.path + "/state", settings: settings)
    }

    /// A packet of a program, with evidence of a kind.
    private func packet(_ number: UInt8, of program: String = "/usr/sbin/decoy", _ kind: EvidenceKind = .directCall) -> ExtractedPacket {
        var packet = numberedPacket(number)
        packet.parameters.process.executable?.path = program
        packet.evidence = [Evidence(kind: kind, detail: "")]
        return packet
    }

    @Test func `a packet beyond the quota goes out when the quota allows it, once`() async throws {
        let store = try store()
        for number: UInt8 in 1...3 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now + Int64(number)) }
        #expect(
            try await store.admit(packet(4), to: [.local, .global], nowMilliseconds: now + 9)
                == .overQuota(nextAllowedMilliseconds: now + 1 + day))
        #expect(try await store.held() == 1)
        #expect(try await store.nextRelease(nowMilliseconds: now + 9) == now + 1 + day)
        #expect(try await store.release(nowMilliseconds: now + day).released.isEmpty)
        let round = try await self.store().release(nowMilliseconds: now + 1 + day)
        #expect(round.released == [packet(4).id])
        #expect(try await store.waiting(for: .global) == 1)
        #expect(try await store.held() == 0)
        #expect(try await store.release(nowMilliseconds: now + 3 * day).released.isEmpty)
    }

    @Test func `whoever asks is told when the quota frees that packets wait for`() async throws {
        let own = try store(HostStoreSettings(quota: DailyQuota(limit: 5)))
        for number: UInt8 in 1...6 { _ = try await own.admit(packet(number), to: [.local], nowMilliseconds: now + Int64(number)) }
        // With the default quota of three there would be no room until the third of five uses is a day old.
        #expect(try await store().nextRelease(nowMilliseconds: now + 9) == now + 1 + day)
        let other = try store(HostStoreSettings(quota: DailyQuota(limit: 4)))
        #expect(try await other.release(nowMilliseconds: now + 10).released.isEmpty)
        #expect(try await store().nextRelease(nowMilliseconds: now + 11) == now + 2 + day)
    }

    @Test func `packets of an earlier version wait for the quota of whoever asks`() async throws {
        let store = try store()
        for number: UInt8 in 1...4 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now + Int64(number)) }
        let queue = try DatabaseQueue(path: store.path)
        try await queue.write { db in try db.execute(sql: "UPDATE held SET quota_limit = NULL") }
        #expect(try await store.nextRelease(nowMilliseconds: now + 9) == now + 1 + day)
    }

    @Test func `the same attack again is a duplicate of the packet that waits`() async throws {
        let store = try store()
        for number: UInt8 in 1...4 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        var again = packet(4)
        again.id = packet(40).id
        #expect(try await store.admit(again, to: [.local], nowMilliseconds: now + 1) == .duplicate(of: packet(4).id))
        #expect(try await store.held() == 1)
    }

    @Test func `decoys do not hold back an attack of another program, nor light evidence that of the same`() async throws {
        let store = try store()
        for number: UInt8 in 1...10 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        #expect(try await store.admit(packet(20, of: "/usr/sbin/attacked"), to: [.local], nowMilliseconds: now + 1) == .accepted)

        let light = try HostStore(directory: folder.path + "/light")
        for number: UInt8 in 1...10 { _ = try await light.admit(packet(number, .memoryFile), to: [.local], nowMilliseconds: now) }
        #expect(try await light.admit(packet(20), to: [.local], nowMilliseconds: now + 1) == .accepted)
    }

    @Test func `what weighs most goes out first`() async throws {
        let store = try store(HostStoreSettings(quota: DailyQuota(limit: 1)))
        _ = try await store.admit(packet(1), to: [.local], nowMilliseconds: now)
        _ = try await store.admit(packet(2, .memoryFile), to: [.local], nowMilliseconds: now + 1)
        _ = try await store.admit(packet(3, .writtenImagePage), to: [.local], nowMilliseconds: now + 2)
        _ = try await store.admit(packet(4), to: [.local], nowMilliseconds: now + 3)
        var order: [String] = []
        for passed in 1...3 {
            order += try await store.release(nowMilliseconds: now + Int64(passed) * (day + 10)).released
        }
        #expect(order == [packet(4), packet(3), packet(2)].map(\.id))
    }

    @Test func `a new packet that weighs more overtakes those that wait`() async throws {
        let store = try store(HostStoreSettings(quota: DailyQuota(limit: 1)))
        _ = try await store.admit(packet(1), to: [.local], nowMilliseconds: now)
        _ = try await store.admit(packet(2, .memoryFile), to: [.local], nowMilliseconds: now + 1)
        let round = try await store.round(admitting: packet(3), to: [.local], nowMilliseconds: now + day + 1)
        #expect(round.admission == .accepted && round.released.isEmpty)
        #expect(try await store.held() == 1)
    }

    @Test func `packets that wait are bounded, and the one that weighs least is given up and may come again`() async throws {
        let store = try store(HostStoreSettings(quota: DailyQuota(limit: 1), maxHeldPackets: 2))
        _ = try await store.admit(packet(1), to: [.local], nowMilliseconds: now)
        for number: UInt8 in 2...3 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now + Int64(number)) }
        #expect(
            try await store.admit(packet(4, .memoryFile), to: [.local], nowMilliseconds: now + 4)
                == .givenUp(nextAllowedMilliseconds: now + day))
        let round = try await store.round(admitting: packet(5, of: "/usr/bin/other", .memoryFile), to: [.local], nowMilliseconds: now + 5)
        #expect(round.admission == .overQuota(nextAllowedMilliseconds: now + day) && round.displaced == 1, "a program's first")
        #expect(try await store.held() == 2)
        let counts = try await store.withheld(nowMilliseconds: now + 6)
        #expect(counts == WithheldCounts(day: now / day, overQuota: 4, givenUp: 2, waiting: 2))
        #expect(try await store.admit(packet(3), to: [.local], nowMilliseconds: now + 7) != .duplicate(of: packet(3).id))
    }

    @Test func `the bytes of those that wait are bounded, too`() async throws {
        let one = packet(1).encoded().count
        let store = try store(HostStoreSettings(quota: DailyQuota(limit: 0), maxHeldBytes: one * 3))
        for number: UInt8 in 1...9 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        #expect((1...3).contains(try await store.held()))
    }

    @Test func `a full spool leaves those that wait where they are`() async throws {
        let store = try store(HostStoreSettings(quota: DailyQuota(limit: 1), maxSpooledPackets: 1))
        for number: UInt8 in 1...2 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        #expect(try await store.release(nowMilliseconds: now + day).released.isEmpty)
        #expect(try await store.held() == 1)
        try await store.remove(try #require(try await store.nextPacket(for: .local)), nowMilliseconds: now)
        #expect(try await store.release(nowMilliseconds: now + day).released == [packet(2).id])
    }

    @Test func `a center is told what was withheld when that changes, once an hour`() async throws {
        let store = try store()
        let hour: Int64 = 3_600_000
        #expect(try await store.withheldToTell(.local, nowMilliseconds: now) == nil)
        try await store.countUnreported(suppressed: 800, lost: 2, nowMilliseconds: now)
        let counts = try #require(try await store.withheldToTell(.local, nowMilliseconds: now))
        #expect(counts == WithheldCounts(day: now / day, suppressed: 800, lost: 2))
        try await store.noteTold(counts, .local, nowMilliseconds: now)
        #expect(try await store.withheldToTell(.local, nowMilliseconds: now + 2 * hour) == nil, "nothing has changed")
        #expect(try await store.withheldToTell(.global, nowMilliseconds: now) == counts)
        try await store.countUnreported(suppressed: 1, lost: 0, nowMilliseconds: now)
        #expect(try await store.withheldToTell(.local, nowMilliseconds: now + hour - 1) == nil, "within the hour")
        #expect(try await store.withheldToTell(.local, nowMilliseconds: now + hour)?.suppressed == 801)
        #expect(try await store.withheldToTell(.local, nowMilliseconds: now - day * 400) == nil, "nothing on that day")
    }

    @Test func `a store of an earlier version keeps its uses of the quota`() async throws {
        let path = folder.path + "/state/host.sqlite"
        try FileManager.default.createDirectory(atPath: folder.path + "/state", withIntermediateDirectories: true)
        let queue = try DatabaseQueue(path: path)
        try HostStoreSchema.migrator.migrate(queue, upTo: "1: seen, quota, spool, refused, outcomes")
        try await queue.write { db in
            for _ in 0..<3 { try db.execute(sql: "INSERT INTO quota_use (time_ms) VALUES (?)", arguments: [now]) }
        }
        try queue.close()
        let store = try store()
        #expect(
            try await store.admit(packet(1, .memoryFile), to: [.local], nowMilliseconds: now + 1)
                == .overQuota(nextAllowedMilliseconds: now + day))
    }
}
