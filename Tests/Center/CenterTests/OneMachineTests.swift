// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import GRDB
import PacketCoding
import Rendering
import Signatures
import TestSupport
import Testing

/// An intruder who has several identities on one machine, or brings one identity to several addresses, is one witness.
@Suite("Names of one machine are one reporter")
struct OneMachineTests {
    private let site: AnalysingStore
    private var store: CenterStore { site.store }

    init() throws { site = try AnalysingStore() }

    /// - Returns: what the attack's rule rests on.
    private func report(
        _ attack: UInt8 = 1, number: Int = 0, by host: String, from address: String, evidence: [EvidenceKind] = [.directCall]
    ) async throws -> EvidenceSupport? {
        try await site.receive(
            Fixture.packet(attack: attack, number: number, host: host, evidence: evidence), from: IPAddress(address))
        try await site.analyse()
        return try await store.status().latestUpdates.first { $0.signatureID == Fixture.signature(attack: attack).id }?.support
    }

    @Test(arguments: [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::ffff:2"), ("192.0.2.1", "::ffff:192.0.2.1")])
    func `two names at one address do not corroborate each other`(first: String, second: String) async throws {
        #expect(try await report(by: "a", from: first)?.grade == .reported)
        for name in ["b", "c", "d", "e", "f"] {
            let support = try await report(by: name, from: second)
            #expect(support?.grade == .reported && support?.isEnoughToDrop == false && support?.reporters == 1)
        }
        let told = try await store.events(subject: Fixture.packet(attack: 1, host: "b").id).filter { $0.step == .weighed }.map(\.detail)
        #expect(
            told == ["100 of 100 points, threshold reached; it counts as host:a, which reported from the same address"])
        #expect(try await report(by: "g", from: "198.51.100.1")?.grade == .corroborated)
    }

    @Test func `one name at several addresses does not corroborate itself`() async throws {
        for (number, address) in ["192.0.2.1", "192.0.2.2", "2001:db8::1"].enumerated() {
            #expect(try await report(number: number, by: "a", from: address)?.reporters == 1)
        }
        // Nor does another name at one of them, the first of which counts.
        #expect(try await report(by: "b", from: "192.0.2.1")?.reporters == 1)
    }

    @Test func `five addresses confirm, and each name once`() async throws {
        for number in 1...4 { _ = try await report(by: "host-\(number)", from: "192.0.2.\(number)") }
        #expect(try await report(by: "host-4", from: "192.0.2.5")?.grade == .corroborated)
        #expect(try await report(by: "host-5", from: "192.0.2.5")?.grade == .confirmed)
    }

    @Test func `evidence of one address counts once, whatever names it comes under`() async throws {
        for name in ["a", "b", "c"] { #expect(try await report(by: name, from: "192.0.2.1", evidence: [.memoryFile]) == nil) }
        let points = try await store.snapshot { try $0.weight(of: 1).sum.points }
        #expect(points == EvidenceKind.memoryFile.defaultWeight)
    }

    @Test func `where hosts report from is not known they are one`() async throws {
        for name in ["a", "b"] {
            try await site.receive(Fixture.packet(attack: 1, host: name), from: nil)
            try await site.analyse()
        }
        #expect(try await store.status().latestUpdates.first?.support?.reporters == 1)
    }

    @Test func `the names of one machine have one share of the day's places`() async throws {
        for (number, name) in ["a", "b", "c"].enumerated() { _ = try await report(UInt8(number + 1), by: name, from: "192.0.2.1") }
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil)
        #expect(try await store.status().deliveries == ["ids pending": 1, "ids waiting-quota": 2])
        _ = try await report(4, by: "honest", from: "192.0.2.2")
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil)
        #expect(try await store.ruleSet().pending.map(\.rule.update.signature.id).contains(Fixture.signature(attack: 4).id))
        // One that waits goes out when another machine says the same.
        _ = try await report(3, by: "honest", from: "192.0.2.2")
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil)
        #expect(try await store.ruleSet().pending.map(\.rule.update.signature.id).contains(Fixture.signature(attack: 3).id))
    }

    @Test func `the names of one machine have one share of proofs and rule numbers`() async throws {
        for number in 0..<70 {
            try await site.receive(junk(number, host: "name-\(number)"), from: IPAddress("192.0.2.1"))
        }
        try await site.analyse()
        #expect(try await store.status().updates == ["proven": 64])
        try await site.receive(junk(100, host: "honest"), from: IPAddress("192.0.2.2"))
        try await site.analyse()
        #expect(try await store.status().updates == ["proven": 65])
    }

    @Test func `junk under many names of one machine does not keep an attack from being proven`() async throws {
        let carried = bytes(32, seed: 1)
        func packet(_ code: [UInt8], caller: Int, number: Int, host: String) -> ExtractedPacket {
            var packet = Fixture.packet(attack: 77, number: number, host: host)
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
            packet.callersAddress = 0x1000 + UInt64(caller)
            return packet
        }
        for number in 0..<21 {
            let fill = bytes(40, seed: 100 + number) + carried + bytes(40, seed: 200 + number)
            try await site.receive(
                packet(number == 0 ? carried : fill, caller: number == 0 ? 32 : 112, number: number, host: "name-\(number)"),
                from: IPAddress("192.0.2.1"))
            try await site.analyse()
        }
        let attack = bytes(100, seed: 2) + carried + bytes(100, seed: 3)
        for number in 30..<38 {
            try await site.receive(
                packet(attack, caller: 220, number: number, host: "host-\(number)"), from: IPAddress("198.51.100.\(number)"))
            try await site.analyse()
        }
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(updates: 100), yieldingTo: nil)
        #expect(try await store.ruleSet().pending.contains { $0.rule.update.signature.matches(attack) })
    }

    private func bytes(_ count: Int, seed: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(seed))
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func junk(_ number: Int, host: String) -> ExtractedPacket {
        var packet = Fixture.packet(attack: 200, number: number, host: host)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: bytes(96, seed: 5000 + number), isWholeRegion: true))
        packet.parameters.process.listening = []
        return packet
    }
}
