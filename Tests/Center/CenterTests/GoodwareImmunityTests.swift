// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import PacketCoding
import Rendering
import SignatureProving
import Signatures
import TestSupport
import Testing

/// Who knows which bytes of goodware an attack will carry reports those, so that nothing can be proven of them, and then junk with them
/// in it, as much as it likes. It must not keep the attack from getting a rule by what others report.
@Suite("Nothing is immunised in advance by bytes of goodware")
struct GoodwareImmunityTests {
    private static let carried = InertInstructions.bytes(32, seed: 1)
    private static let goodware = InertInstructions.bytes(4096, seed: 900) + carried + InertInstructions.bytes(4096, seed: 901)

    private let folder: TemporaryFolder
    private let site: AnalysingStore
    private var store: CenterStore { site.store }

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/corpus", withIntermediateDirectories: false)
        try Data(Self.goodware).write(to: URL(fileURLWithPath: folder.path + "/corpus/program"))
        _ = try GoodwareBuilder.build(sources: [folder.path + "/corpus"], output: folder.path + "/index")
        site = try AnalysingStore(provers: ProverSource(ProverSettings(goodware: folder.path + "/index")))
    }

    private static func random(_ count: Int, seed: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(seed))
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func packet(_ bytes: [UInt8], caller: Int, number: Int, host: String) -> ExtractedPacket {
        var packet = Fixture.packet(attack: 77, number: number, host: host)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true))
        packet.callersAddress = 0x1000 + UInt64(caller)
        return packet
    }

    /// The bytes alone.
    private func probe(_ number: Int, host: String) -> ExtractedPacket { packet(Self.carried, caller: 32, number: number, host: host) }

    private func junk(_ numbers: Range<Int>) -> [ExtractedPacket] {
        numbers.map { number in
            packet(
                Self.random(100, seed: 1000 + number) + Self.carried + Self.random(60, seed: 2000 + number), caller: 132, number: number,
                host: "intruder")
        }
    }

    /// - Parameter isAtCall: whether the attack was caught right behind the bytes, and not before them.
    private func attack(_ number: Int, host: String, isAtCall: Bool = false) -> ExtractedPacket {
        let before = Self.random(number % 40, seed: 3000 + number) + InertInstructions.bytes(60, seed: 3)
        let bytes = before + Self.carried + InertInstructions.bytes(80, seed: 4)
        return packet(bytes, caller: before.count + (isAtCall ? 32 : 0), number: number, host: host)
    }

    private func isProven() async throws -> Bool {
        guard case .code(let code) = attack(7777, host: "").content else { return false }
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(updates: 100), yieldingTo: nil)
        return try await store.ruleSet().pending.contains { $0.rule.update.signature.matches(code.bytes) }
    }

    private func receive(_ packets: [ExtractedPacket]) async throws {
        for packet in packets { try await site.receive(packet) }
    }

    @Test(arguments: [1, 5, 16, 60])
    func `where all came in before anything was proven, the attack is proven of it`(count: Int) async throws {
        try await receive([probe(0, host: "intruder")] + junk(1..<count))
        try await receive((0..<7).map { attack(100 + $0, host: "host-\($0)") })
        try await site.analyse()
        #expect(try await store.status().clusters == 1)
        #expect(try await isProven())
    }

    @Test func `the first report of another host has the attack proven, however much junk there is`() async throws {
        try await receive([probe(0, host: "intruder")] + junk(1..<61))
        try await site.analyse()
        #expect(try await !isProven())
        // By its window it belongs there.
        try await receive([attack(100, host: "host-2", isAtCall: true)])
        try await site.analyse()
        #expect(try await store.status().clusters == 1)
        #expect(try await isProven())
    }
}
