// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Novelty
import PacketCoding
import Signatures
import TestSupport
import Testing

@testable import HostStore

private let now: Int64 = 1_700_000_000_000

/// Packets beyond the link's budget: less of them goes, counted, whoever shares the store.
@Suite struct LinkTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func store(_ link: LinkBudget, signatureBytes: Int = 32, packets: Int = 100) throws -> HostStore {
        try HostStore(
            directory: folder.path + "/state",
            settings: HostStoreSettings(quota: DailyQuota(limit: packets), link: link, signatureBytes: signatureBytes))
    }

    /// A packet with 8 KiB of code, the caller in its middle.
    private func packet(_ number: UInt8) -> ExtractedPacket {
        var packet = numberedPacket(number)
        let code = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) ^ number }
        packet.content = .code(ExtractedCode(base: 0x10000, bytes: code, isWholeRegion: true))
        packet.callersAddress = 0x10000 + 4096
        return packet
    }

    private func admitted(_ store: HostStore, _ number: UInt8, to: [Destination] = [.local]) async throws -> LinkBudget.Form {
        let round = try await store.round(admitting: packet(number), to: to, nowMilliseconds: now + Int64(number))
        #expect(round.admission == .accepted)
        return round.reduced[packet(number).id] ?? .asItIs
    }

    private func spooled(_ store: HostStore, _ destination: Destination = .local) async throws -> [ExtractedPacket] {
        var found: [ExtractedPacket] = []
        while let next = try await store.nextPacket(for: destination) {
            found.append(try ExtractedPacket(encoded: next.packet.bytes))
            try await store.remove(next, nowMilliseconds: now)
        }
        return found
    }

    @Test(arguments: [8, 32, 256]) func `first whole, then a snippet, then the signature alone`(_ signatureBytes: Int) async throws {
        let size = EncodedPacket(packet(1)).bytes.count
        let budget = LinkBudget(bytesPerDay: size + size / 2)
        let store = try store(budget, signatureBytes: signatureBytes)
        #expect(try await admitted(store, 1) == .asItIs)
        guard case .snippet(let side) = try await admitted(store, 2) else {
            Issue.record("no snippet")
            return
        }
        #expect(try await admitted(store, 3) == .signature)
        let packets = try await spooled(store)
        #expect(packets[0] == packet(1))
        guard case .code(let snippet) = packets[1].content, case .code(let whole) = packet(2).content else {
            Issue.record("no code: \(packets[1].content)")
            return
        }
        #expect(snippet.bytes == Array(whole.bytes[(4096 - side)..<(4096 + side)]))
        #expect(snippet.offset(of: packets[1].callersAddress) == side && !snippet.isWholeRegion)
        #expect(
            packets[2].content
                == .signature(try CallerWindow.extract(from: packet(3).code, callersAddress: 0x11000, length: signatureBytes)))
        #expect(packets[2].evidence == packet(3).evidence && packets[2].id == packet(3).id)
        let outcomes = try await store.outcomes(day: now / DailyQuota.windowMilliseconds)
        #expect(outcomes["sent-as-snippet"] == 1 && outcomes["sent-as-signature"] == 1 && outcomes["accepted"] == 3)
        #expect(try await store.linkBytes(nowMilliseconds: now) <= size + size / 2 + EncodedPacket(packets[2]).bytes.count)
    }

    @Test func `what was left to the center is not left to it any more once only the signature goes`() async throws {
        let store = try store(LinkBudget(bytesPerDay: 0), signatureBytes: 16)
        var packet = packet(1)
        guard case .code(let code) = packet.content else {
            Issue.record("no code")
            return
        }
        packet.extraction = ExtractionRequest(signature: .unique, signatureBytes: 16)
        _ = try await store.admit(packet, to: [.local], nowMilliseconds: now)
        let plain = try ExtractedPacket(encoded: #require(try await store.nextPacket(for: .local)).packet.bytes)
        let window = try CallerWindow.extract(from: code, callersAddress: packet.callersAddress, length: 16)
        #expect(plain.extraction == nil && plain.content == .signature(window) && plain.signatureAddress == nil)
    }

    @Test func `programs that share the store share the link`() async throws {
        let size = EncodedPacket(packet(1)).bytes.count
        let budget = LinkBudget(bytesPerSecond: 2 * size)
        #expect(try await admitted(store(budget), 1, to: [.local, .global]) == .asItIs)
        #expect(try await admitted(store(budget), 2, to: [.local, .global]) == .signature, "both copies of the first count")
        #expect(try await spooled(store(budget), .global).count == 2)
        // Who has no budget sends everything, and counts nothing.
        #expect(try await admitted(store(LinkBudget()), 3) == .asItIs)
    }

    @Test func `a packet that waited for the quota is fitted when it goes`() async throws {
        let budget = LinkBudget(bytesPerDay: 500)
        let store = try store(budget, packets: 1)
        #expect(try await admitted(store, 1) == .signature)
        _ = try await store.round(admitting: packet(2), to: [.local], nowMilliseconds: now + 2)
        let round = try await store.release(nowMilliseconds: now + 1 + DailyQuota.windowMilliseconds)
        #expect(round.released.count <= 1)
        let later = try await store.release(nowMilliseconds: now + 5 + DailyQuota.windowMilliseconds)
        #expect((round.released + later.released) == [packet(2).id])
        #expect((round.reduced[packet(2).id] ?? later.reduced[packet(2).id]) == .signature)
    }

    @Test func `the same attack is a duplicate whatever of it went`() async throws {
        let store = try store(LinkBudget(bytesPerDay: 0))
        #expect(try await admitted(store, 1) == .signature)
        var again = packet(1)
        again.id = Hex.encode([UInt8](repeating: 0xee, count: 16))
        #expect(try await store.admit(again, to: [.local], nowMilliseconds: now + 9) == .duplicate(of: packet(1).id))
    }
}

extension ExtractedPacket {
    fileprivate var code: ExtractedCode {
        guard case .code(let code) = content else { return ExtractedCode(base: 0, bytes: [], isWholeRegion: false) }
        return code
    }
}
