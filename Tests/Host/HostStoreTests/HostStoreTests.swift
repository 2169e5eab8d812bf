// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import Novelty
import PacketCoding
import Synchronization
import TestSupport
import Testing

@testable import HostStore

/// A packet whose code and id follow from a number.
func numberedPacket(_ number: UInt8) -> ExtractedPacket {
    var packet = Samples.packet(id: Hex.encode(Array(repeating: number, count: 16)))
    packet.content = .code(
        ExtractedCode(base: Samples.code.base, bytes: Samples.code.bytes.map { $0 ^ number }, isWholeRegion: true))
    return packet
}

private func packet(_ number: UInt8) -> ExtractedPacket { numberedPacket(number) }

private let now: Int64 = 1_700_000_000_000
private let day = DailyQuota.windowMilliseconds

@Suite struct HostStoreTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func store(_ settings: HostStoreSettings = HostStoreSettings(), pages: Int? = nil) throws -> HostStore {
        try HostStore(directory: folder.path + "/state", settings: settings, maxBytes: pages.map { Int64($0) * 4096 })
    }

    @Test func `A new packet waits for each of its destinations until its receipt`() async throws {
        let store = try store()
        #expect(try await store.admit(packet(1), to: [.local, .global, .local], nowMilliseconds: now) == .accepted)
        let local = try #require(try await store.nextPacket(for: .local))
        #expect(try ExtractedPacket(encoded: local.packet.bytes) == packet(1))
        try await store.remove(local, nowMilliseconds: now)
        try await store.remove(local, nowMilliseconds: now)
        #expect(try await store.nextPacket(for: .local) == nil)
        #expect(try await store.waiting(for: .global) == 1)
        #expect(try await store.outcomes(day: now / day) == ["accepted": 1, "sent": 1])
    }

    @Test func `Packets leave in the order in which they came`() async throws {
        let store = try store()
        for number: UInt8 in 1...3 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        var order: [String] = []
        while let next = try await store.nextPacket(for: .local) {
            order.append(next.packet.id)
            try await store.remove(next, nowMilliseconds: now)
        }
        #expect(order == (1...3).map { packet($0).id })
    }

    @Test func `A duplicate and a packet beyond the quota are not stored, also after the store is reopened`() async throws {
        for number: UInt8 in 1...3 {
            #expect(try await store().admit(packet(number), to: [.local], nowMilliseconds: now) == .accepted)
        }
        let reopened = try store()
        var again = packet(2)
        again.id = packet(9).id
        #expect(try await reopened.admit(again, to: [.local], nowMilliseconds: now) == .duplicate(of: packet(2).id))
        let late = try await reopened.admit(packet(4), to: [.local], nowMilliseconds: now + 10)
        #expect(late == .overQuota(nextAllowedMilliseconds: now + day))
        #expect(try await reopened.waiting(for: .local) == 3)
        #expect(try await reopened.admit(packet(4), to: [.local], nowMilliseconds: now + day) == .accepted)
        #expect(try await reopened.outcomes(day: now / day) == ["accepted": 3, "duplicate": 1, "over-quota": 1])
    }

    @Test func `One of many concurrent admissions of the same packet is accepted`() async throws {
        let stores = try (0..<4).map { _ in try store() }
        let accepted = try await withThrowingTaskGroup(of: Admission.self) { group in
            for index in 0..<20 {
                group.addTask {
                    var same = packet(1)
                    same.id = packet(UInt8(index + 1)).id
                    return try await stores[index % 4].admit(same, to: [.local], nowMilliseconds: now)
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 == .accepted ? 1 : 0 }
        }
        #expect(accepted == 1)
        #expect(try await stores[0].waiting(for: .local) == 1)
    }

    @Test func `Near matching finds similar code`() async throws {
        let store = try store(HostStoreSettings(novelty: NoveltyPolicy(criteria: .code, matching: .near, codeDistance: 0.5)))
        _ = try await store.admit(packet(1), to: [.local], nowMilliseconds: now)
        var alike = packet(2)
        var bytes = Samples.code.bytes.map { $0 ^ 1 }
        bytes[3] ^= 0x55
        alike.content = .code(ExtractedCode(base: Samples.code.base, bytes: bytes, isWholeRegion: true))
        #expect(try await store.admit(alike, to: [.local], nowMilliseconds: now) == .duplicate(of: packet(1).id))
        #expect(try await store.admit(packet(3), to: [.local], nowMilliseconds: now) == .accepted)
    }

    @Test func `A full spool keeps the oldest packets and refuses the newest`() async throws {
        let quota = DailyQuota(limit: 100)
        let store = try store(HostStoreSettings(quota: quota, maxSpooledPackets: 2))
        for number: UInt8 in 1...2 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        #expect(try await store.admit(packet(3), to: [.local], nowMilliseconds: now) == .spoolFull(waiting: 2))
        #expect(try await store.nextPacket(for: .local)?.packet.id == packet(1).id)
        #expect(try await store.outcomes(day: now / day)["spool-full"] == 1)
        // Turned away is not seen: once there is room, it gets in.
        try await store.remove(try #require(try await store.nextPacket(for: .local)), nowMilliseconds: now)
        #expect(try await store.admit(packet(3), to: [.local], nowMilliseconds: now) == .accepted)
    }

    @Test func `The spool is bounded in bytes, too`() async throws {
        let one = packet(1).encoded().count
        let store = try store(HostStoreSettings(maxSpooledBytes: one * 2))
        #expect(try await store.admit(packet(1), to: [.local, .global], nowMilliseconds: now) == .accepted)
        #expect(try await store.admit(packet(2), to: [.local], nowMilliseconds: now) == .spoolFull(waiting: 1))
    }

    @Test func `The last refused packets are kept with their reasons`() async throws {
        let store = try store(HostStoreSettings(maxRefusedPackets: 2))
        for number: UInt8 in 1...3 {
            _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now)
            let next = try #require(try await store.nextPacket(for: .local))
            try await store.setAside(next, because: EpitopeError(.packetMalformed, "no \(number)", remedy: ""), nowMilliseconds: now)
        }
        let refused = try await store.refusedPackets()
        #expect(refused.map(\.packetID) == [packet(2).id, packet(3).id])
        #expect(refused.first?.code == "packet-malformed")
        #expect(refused.first?.message == "no 2")
        #expect(try await store.nextPacket(for: .local) == nil)
    }

    @Test func `The number of remembered packets is bounded`() async throws {
        let store = try store(HostStoreSettings(quota: DailyQuota(limit: 100), maxRememberedPackets: 2))
        for number: UInt8 in 1...3 {
            _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now + Int64(number))
        }
        var third = packet(3)
        third.id = packet(30).id
        #expect(try await store.admit(third, to: [.local], nowMilliseconds: now + 9) == .duplicate(of: packet(3).id))
        var first = packet(1)
        first.id = packet(10).id
        #expect(try await store.admit(first, to: [.local], nowMilliseconds: now + 9) == .accepted)
    }

    @Test func `Only its owner can read the store`() async throws {
        _ = try await store().admit(packet(1), to: [.local], nowMilliseconds: now)
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(folder.path + "/state") == 0o700)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path + "/state") {
            #expect(try mode(folder.path + "/state/" + name) == 0o600, "\(name)")
        }
    }
}

/// Failures of the disk, and death in the middle.
@Suite struct HostStoreFailureTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func `A full disk is reported, and loses no accepted packet`() async throws {
        let generous = HostStoreSettings(quota: DailyQuota(limit: 10_000), maxSpooledPackets: 10_000)
        let small = try HostStore(directory: folder.path, settings: generous, maxBytes: 40 * 4096)
        var accepted: [String] = []
        var code: EpitopeError.Code?
        for number in 0..<500 where code == nil {
            var next = packet(UInt8(number % 256))
            next.id = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
            next.content = .code(
                ExtractedCode(base: Samples.code.base, bytes: (0..<4000).map { _ in .random(in: 0...255) }, isWholeRegion: true))
            do {
                let admission = try await small.admit(next, to: [.local], nowMilliseconds: now)
                try #require(admission == .accepted)
                accepted.append(next.id)
            } catch let error as EpitopeError {
                code = error.code
            }
        }
        #expect(code == .diskFull)
        #expect(!accepted.isEmpty)
        let reopened = try HostStore(directory: folder.path, settings: generous)
        var kept: [String] = []
        while let next = try await reopened.nextPacket(for: .local) {
            kept.append(next.packet.id)
            try await reopened.remove(next, nowMilliseconds: now)
        }
        #expect(kept == accepted)
    }

    @Test func `A damaged file is put aside by a store that mends itself, and what is stored after is there`() async throws {
        let path = folder.path + "/host.sqlite"
        let garbage = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 * 7) })
        try garbage.write(to: URL(fileURLWithPath: path))
        let moved = Mutex<[String]>([])
        let stores = (0..<3).map { _ in
            HostStore(mending: folder.path, settings: HostStoreSettings(quota: DailyQuota(limit: 100))) { to in
                moved.withLock { $0.append(to) }
            }
        }
        // Programs that share it find the damage at once; one of them puts the file aside.
        let admissions = try await withThrowingTaskGroup(of: Admission.self) { group in
            for (number, store) in stores.enumerated() {
                group.addTask { try await store.admit(packet(UInt8(number)), to: [.local], nowMilliseconds: now) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(admissions == [.accepted, .accepted, .accepted])
        #expect(moved.withLock { $0 } == [path + ".damaged"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: path + ".damaged")) == garbage)
        #expect(try await HostStore(directory: folder.path).waiting(for: .local) == 3)
    }

    @Test func `Damage that appears while a store is open is mended, too`() async throws {
        let store = HostStore(mending: folder.path, settings: HostStoreSettings(quota: DailyQuota(limit: 100))) { _ in }
        for number: UInt8 in 1...20 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        // Whatever is on the disk is overwritten, all but SQLite's header; and the log is emptied.
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: store.path))
        let size = try file.seekToEnd()
        try file.seek(toOffset: 100)
        try file.write(contentsOf: Data(repeating: 0x5a, count: Int(max(size, 8192)) - 100))
        try file.close()
        try Data().write(to: URL(fileURLWithPath: store.path + "-wal"))
        for number: UInt8 in 31...33 {
            #expect(try await store.admit(packet(number), to: [.local], nowMilliseconds: now) == .accepted)
        }
        #expect(try await store.waiting(for: .local) >= 3)
    }

    @Test func `A store that can't be opened is opened once it can be`() async throws {
        try Data().write(to: URL(fileURLWithPath: folder.path + "/state"))
        let store = HostStore(mending: folder.path + "/state", settings: HostStoreSettings()) { _ in }
        let error = await #expect(throws: EpitopeError.self) {
            try await store.admit(packet(1), to: [.local], nowMilliseconds: now)
        }
        #expect(error?.code == .hostStoreUnusable)
        try FileManager.default.removeItem(atPath: folder.path + "/state")
        #expect(try await store.admit(packet(1), to: [.local], nowMilliseconds: now) == .accepted)
    }

    @Test func `A damaged file is reported as damaged`() throws {
        try Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 * 7) }).write(to: URL(fileURLWithPath: folder.path + "/host.sqlite"))
        let error = #expect(throws: EpitopeError.self) { try HostStore(directory: folder.path) }
        #expect(error?.code == .hostStoreDamaged)
        #expect(error?.message.contains("damaged") == true)
    }

    @Test func `A folder that cannot be created is reported`() throws {
        try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
        let error = #expect(throws: EpitopeError.self) { try HostStore(directory: folder.path + "/file/state") }
        #expect(error?.code == .hostStoreUnusable)
    }

    @Test func `Accepted packets survive a kill`() async throws {
        // Copies of the files, taken while the store is open and never closed, are what kill -9 leaves.
        let store = try HostStore(directory: folder.path)
        for number: UInt8 in 1...3 { _ = try await store.admit(packet(number), to: [.local], nowMilliseconds: now) }
        let copy = folder.path + "/copy"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: store.path + suffix, toPath: copy + "/host.sqlite" + suffix)
        }
        let survivor = try HostStore(directory: copy)
        #expect(try await survivor.waiting(for: .local) == 3)
        #expect(try await survivor.admit(packet(4), to: [.local], nowMilliseconds: now) == .overQuota(nextAllowedMilliseconds: now + day))
        withExtendedLifetime(store) {}
    }
}
