// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import Correlation
import EpitopeModel
import Foundation
import GRDB
import GoodwareFiles
import PacketCoding
import Scheduling
import SignatureProving
import Signatures
import Synchronization
import TestSupport
import Testing

@testable import CenterAnalysis
@testable import CenterStore

/// Hosts that leave it to the center to extract: the store holds what another host would have sent.
@Suite("What a host can't extract, the center does")
struct RegionExtractionTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
    }

    /// A region of 8 KiB, of which no 16 bytes are alike elsewhere, with the call in its middle.
    private static let region: ExtractedCode = {
        var random = SeededGenerator(seed: 7)
        return ExtractedCode(base: 0x10000, bytes: (0..<8192).map { _ in UInt8.random(in: 0...255, using: &random) }, isWholeRegion: true)
    }()
    private static let caller: UInt64 = 0x10000 + 4000

    private static func packet(_ number: Int, host: String, _ request: ExtractionRequest?, code: ExtractedCode = region) -> ExtractedPacket
    {
        var packet = Fixture.packet(attack: 1, number: number, host: host)
        (packet.content, packet.callersAddress, packet.extraction) = (.code(code), caller, request)
        return packet
    }

    private func receive(_ packet: ExtractedPacket, _ extractor: RegionExtractor) async throws -> ExtractedPacket {
        let receiver = ReportReceiver(store: store, analysisSignal: WakeUpSignal(), extractor: extractor)
        let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "")
        let report = try Report(sender: sender, body: .packet(ReceivedPacket(packet)))
        #expect(try await !receiver.accept(report).wasKnown)
        #expect(try await receiver.accept(report).wasKnown, "sent again it is the same")
        return try await stored(packet.id)
    }

    /// A packet that waits for the analysis, as the store has it.
    private func stored(_ id: String) async throws -> ExtractedPacket {
        let report = try await store.transaction { try $0.waitingReports(limit: 99) }.first { $0.id == id }
        guard case .packet(let packet, _)? = try report?.content.get() else {
            throw Unexpected(description: "no packet \(id) in the store")
        }
        return packet
    }

    private func signature(_ packet: ExtractedPacket) -> [UInt8]? {
        guard case .signature(let bytes) = packet.content else { return nil }
        return bytes
    }

    @Test func `the same attack by two hosts, of which one leaves it to the center, is one cluster of one signature`() async throws {
        let code = ExtractionRequest(signature: nil, signatureBytes: CallerWindow.length)
        let extractor = RegionExtractor()
        let whole = try await receive(Self.packet(1, host: "host-1", nil), extractor)
        let left = try await receive(Self.packet(2, host: "host-2", code), extractor)
        #expect(left.content == whole.content && left.extraction == nil)
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: ProverSource(ProverSettings(requireGoodware: false)))
        while try await analyst.analyse() > 0 {}
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM clusters") } == 1)
        let updates = try await store.status().latestUpdates
        #expect(updates.count == 1 && updates[0].state == .proven)
        // Their code is one body.
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM bodies") } == 1)
    }

    @Test func `the center's amounts hold for regions that are left to it, and for no other packet`() async throws {
        let extractor = RegionExtractor(RegionExtraction(maxCode: 1024, snippetSide: 300))
        let request = ExtractionRequest(signature: nil, signatureBytes: CallerWindow.length)
        let left = try await receive(Self.packet(1, host: "host-1", request), extractor)
        #expect(
            left.content == .code(ExtractedCode(base: 0x10000 + 3700, bytes: Array(Self.region.bytes[3700..<4300]), isWholeRegion: false)))
        let other = try await receive(Self.packet(2, host: "host-2", nil), extractor)
        #expect(other.content == .code(Self.region))
        // One that is small enough stays whole; a part of a larger one doesn't count as one.
        for isWhole in [true, false] {
            let small = ExtractedCode(base: 0x10000 + 3400, bytes: Array(Self.region.bytes[3400..<4400]), isWholeRegion: isWhole)
            let packet = try await receive(Self.packet(isWhole ? 3 : 4, host: "host-3", request, code: small), extractor)
            guard case .code(let kept) = packet.content else { throw Unexpected(description: "no code") }
            #expect(kept.bytes.count == (isWhole ? 1000 : 600))
        }
    }

    @Test func `a signature is chosen as the host asks, and by the center's own goodware where it is to be unique`() async throws {
        // The bytes before the call stand in the center's goodware.
        let corpus = folder.path + "/corpus"
        try FileManager.default.createDirectory(atPath: corpus, withIntermediateDirectories: false)
        try Data(Self.region.bytes[3900..<4010]).write(to: URL(filePath: corpus + "/program"))
        _ = try GoodwareBuilder.build(sources: [corpus], output: folder.path + "/index")
        let provers = ProverSource(ProverSettings(goodware: folder.path + "/index"))
        let counters = CenterCounters()
        let extractor = RegionExtractor(RegionExtraction(), asking: provers, counters: counters)
        let caller = try await receive(
            Self.packet(1, host: "host-1", ExtractionRequest(signature: .caller, signatureBytes: 48)), extractor)
        #expect(signature(caller) == Array(Self.region.bytes[3952..<4000]) && caller.signatureAddress == nil)
        let unique = try await receive(
            Self.packet(2, host: "host-2", ExtractionRequest(signature: .unique, signatureBytes: 48)), extractor)
        let chosen = try #require(signature(unique))
        let start = try #require(unique.signatureAddress.map { Int($0 - 0x10000) })
        #expect(chosen == Array(Self.region.bytes[start..<start + 48]))
        #expect(start < 3900 || start + 48 > 4010, "it is not in the goodware")
        #expect(abs(start - 3952) < 120, "and near the call")
        // Without an index nothing is known to be unique.
        let none = try await receive(
            Self.packet(3, host: "host-3", ExtractionRequest(signature: .unique, signatureBytes: 48)),
            RegionExtractor(RegionExtraction(), asking: ProverSource(ProverSettings()), counters: counters))
        #expect(none.content == caller.content && none.signatureAddress == nil)
        // No code is in the store.
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM bodies") } == 0)
        // Each was sent twice.
        #expect(RegionEnd.allCases.map { counters.extracted.value($0) } == [0, 2, 2, 2])
    }

    /// Goodware that doesn't answer must keep nothing from being stored.
    @Test func `an index that hangs costs two seconds, and then the caller window goes`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let extractor = RegionExtractor { bytes in
            gate.wait()
            return [Bool](repeating: true, count: bytes.count - 31)
        }
        defer { for _ in 0..<8 { gate.signal() } }
        let receiver = ReportReceiver(store: store, analysisSignal: WakeUpSignal(), extractor: extractor)
        let request = ExtractionRequest(signature: .unique, signatureBytes: 32)
        let packet = Self.packet(1, host: "host-1", request)
        #expect(try await !receiver.accept(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packet)))).wasKnown)
        let stored = try await stored(packet.id)
        #expect(signature(stored) == Array(Self.region.bytes[3968..<4000]) && stored.signatureAddress == nil)
    }

    @Test func `more regions than may wait for the index get the caller window at once`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let asked = Atomic(0)
        let counters = CenterCounters()
        let extractor = RegionExtractor(counters: counters) { bytes in
            if asked.add(1, ordering: .relaxed).oldValue == 0 { gate.wait() }
            return [Bool](repeating: true, count: bytes.count - 31)
        }
        let request = ExtractionRequest(signature: .unique, signatureBytes: 32)
        let packets = try (0..<RegionExtractor.maxWaiting + 20).map { try ReceivedPacket(Self.packet($0, host: "host-1", request)) }
        let extracted = try await withThrowingTaskGroup(of: ReceivedPacket.self) { group in
            for packet in packets { group.addTask { try await extractor.extract(packet) } }
            var all: [ReceivedPacket] = []
            for try await packet in group {
                all.append(packet)
                // Those beyond the bound are through before the first has its answer.
                if all.count == 20 { gate.signal() }
            }
            return all
        }
        #expect(extracted.count == packets.count)
        #expect(counters.extracted.value(.notUnique) == 20 && counters.extracted.value(.unique) == Int64(RegionExtractor.maxWaiting))
    }

    @Test func `a region counts for its sender's share as it came in, and what can't be extracted is refused and takes nothing`()
        async throws
    {
        let receiver = ReportReceiver(
            store: store, analysisSignal: WakeUpSignal(), megabytesPerReporter: 1,
            extractor: RegionExtractor(RegionExtraction(maxCode: 256, snippetSide: 256)))
        let request = ExtractionRequest(signature: .caller, signatureBytes: 8)
        var refusal: EpitopeError?
        var accepted = 0
        while refusal == nil, accepted < 400 {
            let report = try Report(
                sender: Fixture.host, body: .packet(ReceivedPacket(Self.packet(accepted, host: "host-1", request))))
            do {
                _ = try await receiver.accept(report)
                accepted += 1
            } catch {
                refusal = error
            }
        }
        #expect(refusal?.code == .senderOverShare)
        #expect((80...120).contains(accepted), "\(accepted) regions of 8 KiB in 1 MiB, though 8 bytes of each are stored")
        let stored = try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT sum(length(packet)) FROM reports") }
        #expect(try #require(stored) < 120_000)
    }
}
