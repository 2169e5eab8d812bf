// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import PacketCoding
import Rendering
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis

/// Who knows what an attack will carry can report that before. It must not keep the attack from getting a rule.
@Suite("Nothing is immunised in advance")
struct ImmunityTests {
    private let site: AnalysingStore
    private var store: CenterStore { site.store }

    init() throws { site = try AnalysingStore() }

    private func receive(_ packet: ExtractedPacket) async throws {
        try await site.receive(packet)
        try await site.analyse()
    }

    private static func random(_ count: Int, seed: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(seed))
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// The bytes that the attack will carry.
    private static let carried = random(32, seed: 1)

    private func packet(_ bytes: [UInt8], caller: Int, number: Int, host: String) -> ExtractedPacket {
        var packet = Fixture.packet(attack: 77, number: number, host: host)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true))
        packet.callersAddress = 0x1000 + UInt64(caller)
        return packet
    }

    /// The attack: code of its own, the same in each packet, with the bytes in it but not at the call.
    private func attack(_ number: Int, host: String) -> ExtractedPacket {
        packet(
            Self.random(100, seed: 2) + Self.carried + Self.random(100, seed: 3), caller: 220, number: number, host: host)
    }

    private func proven() async throws -> [SignatureUpdate] {
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(updates: 100), yieldingTo: nil)
        return try await store.ruleSet().pending.map(\.rule.update)
    }

    private func isMatched(_ packet: ExtractedPacket, by update: SignatureUpdate) -> Bool {
        guard case .code(let code) = packet.content else { return false }
        return update.signature.matches(code.bytes)
    }

    @Test func `a withdrawal binds the signature, and not the attack that carries its bytes`() async throws {
        let before = packet(Self.carried, caller: 32, number: 1, host: "intruder")
        try await receive(before)
        let poisoned = try #require(try await proven().first)
        try await store.withdraw(signatureID: poisoned.signature.id, reason: "hits benign traffic")
        try await receive(attack(2, host: "host-2"))
        let rules = try await proven()
        #expect(rules.count == 1)
        #expect(rules.allSatisfy { isMatched(attack(2, host: "host-2"), by: $0) && !isMatched(before, by: $0) })
        // What the withdrawn one was made of brings nothing back.
        for number in 10..<20 { try await receive(packet(Self.carried, caller: 32, number: number, host: "host-\(number)")) }
        #expect(try await proven().allSatisfy { !isMatched(before, by: $0) })
    }

    @Test func `junk of one host in an attack's cluster does not keep the attack from being proven`() async throws {
        // None of it can be covered by few signatures: fill of another length each, around the bytes that draw it into the cluster.
        for number in 0..<21 {
            let bytes = Self.random(40, seed: 100 + number) + Self.carried + Self.random(40, seed: 200 + number)
            try await receive(packet(number == 0 ? Self.carried : bytes, caller: number == 0 ? 32 : 112, number: number, host: "intruder"))
        }
        for number in 30..<38 { try await receive(attack(number, host: "host-\(number)")) }
        #expect(try await store.status().clusters == 1)
        #expect(try await proven().contains { isMatched(attack(30, host: "host-30"), by: $0) })
    }

    @Test func `a proof takes the newest of each reporter in turn`() {
        let flood = (0..<1000).map { ReportedPacket(sequence: Int64(2000 - $0), reporter: "intruder") }
        let others = (0..<5).map { ReportedPacket(sequence: Int64(100 - $0), reporter: "host-\($0)") }
        let chosen = SampleChoice.choose(from: flood + others, limit: 10)
        #expect(chosen.count == 10)
        #expect(Set(others).isSubset(of: chosen))
        #expect(chosen.map(\.sequence) == [96, 97, 98, 99, 100, 1996, 1997, 1998, 1999, 2000])
    }
}
