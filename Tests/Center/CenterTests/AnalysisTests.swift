// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import GRDB
import PacketCoding
import Rendering
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterStore

@Suite("Reports become proven updates")
struct AnalysisTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
    }

    private func analyse(
        _ packets: [ExtractedPacket], threshold: AttackThreshold = .init(), provers: ProverSource = Fixture.provers
    ) async throws -> StatusReport {
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: threshold, targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: provers)
        for packet in packets {
            let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
            while try await analyst.analyse() > 0 {}
        }
        return try await store.status(events: 1000)
    }

    /// The one update that is ready to go live.
    private func readyUpdate() async throws -> SignatureUpdate? {
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil)
        return try await store.ruleSet().pending.last?.rule.update
    }

    @Test func `the signature is the caller window to the byte`() async throws {
        _ = try await analyse([Samples.packet()])
        let update = try #require(try await readyUpdate())
        #expect(update.signature.tokens == [.init(bytes: Samples.callerWindow)])
        #expect(update.signature.context == SignatureContext(transport: .udp, ports: [1434], direction: .toService))
        #expect(update.proof.passed)
        #expect(update.revision == 1)
    }

    @Test func `a signature from the host is taken as it is`() async throws {
        var packet = Samples.packet()
        packet.content = .signature(Samples.callerWindow)
        _ = try await analyse([packet])
        #expect(try await readyUpdate()?.signature.tokens == [.init(bytes: Samples.callerWindow)])
    }

    @Test func `every step is recorded in its order`() async throws {
        let status = try await analyse([Samples.packet()])
        #expect(status.events.map(\.step) == [.stored, .signed, .clustered, .weighed, .proven])
    }

    @Test func `weak evidence waits for more hosts`() async throws {
        func packets(_ hosts: [String]) -> [ExtractedPacket] {
            hosts.map { Fixture.packet(attack: 1, host: $0, evidence: [.memoryFile]) }
        }
        #expect(try await analyse(packets(["host-1", "host-2"])).updates.isEmpty)
        let status = try await analyse(packets(["host-3"]))
        #expect(status.updates == ["proven": 1])
        #expect(status.clusters == 1)
    }

    @Test func `the site's one counter adds up its clusters`() async throws {
        let threshold = AttackThreshold(counter: .site)
        let packets = [UInt8(1), 2, 3].map {
            Fixture.packet(attack: $0, host: "host-\($0)", evidence: [.memoryFile])
        }
        let status = try await analyse(packets, threshold: threshold)
        #expect(status.clusters == 3)
        #expect(status.updates == ["proven": 3], "each cluster that brought points gets its update")
    }

    @Test func `the site's one counter is reached by the report that reaches it, also where its sum is made anew`() async throws {
        func packet(_ attack: UInt8) -> ExtractedPacket { Fixture.packet(attack: attack, host: "host-\(attack)", evidence: [.memoryFile]) }
        _ = try await analyse([packet(1), packet(2)], threshold: AttackThreshold(counter: .site))
        try await store.transaction { try $0.forgetSiteSum() }
        let status = try await analyse([packet(3)], threshold: AttackThreshold(counter: .site))
        #expect(status.updates == ["proven": 3])
    }

    @Test func `code that holds a known signature joins its cluster`() async throws {
        var shifted = Fixture.packet(attack: 1, number: 1)
        shifted.content = .code(
            ExtractedCode(base: 0x2000, bytes: [0x41, 0x42, 0x43] + Fixture.code(attack: 1).bytes, isWholeRegion: true))
        shifted.callersAddress = 0x2000 + 90
        let status = try await analyse([Fixture.packet(attack: 1), shifted])
        #expect(status.clusters == 1)
        #expect(status.updates == ["proven": 1])
    }

    @Test func `another port makes a wider revision`() async throws {
        let status = try await analyse([
            Fixture.packet(attack: 1, number: 0, port: 1434), Fixture.packet(attack: 1, number: 1, port: 53),
        ])
        #expect(status.updates == ["proven": 1, "superseded": 1])
        let update = try await readyUpdate()
        #expect(update?.revision == 2)
        #expect(update?.signature.context.ports == [53, 1434])
    }

    @Test(arguments: [EvidenceKind.impossibleReturn, .packedProgram])
    func `code that is no malicious code counts as evidence and makes no signature`(_ kind: EvidenceKind) async throws {
        let status = try await analyse(["host-1", "host-2", "host-3"].map { Fixture.packet(attack: 1, host: $0, evidence: [kind]) })
        #expect(status.events.contains { $0.step == .weighed && $0.detail.contains("threshold reached") })
        #expect(status.updates == ["unproven": 1])
        #expect(status.latestUpdates.first?.reason?.contains("of-malicious-code") == true)
    }

    @Test func `filler is kept with its reason and never delivered`() async throws {
        var packet = Fixture.packet(attack: 1)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: Array(repeating: 0x90, count: 96), isWholeRegion: true))
        let status = try await analyse([packet])
        #expect(status.updates == ["unproven": 1])
        #expect(status.latestUpdates.first?.reason?.contains("not-fill") == true)
        #expect(status.deliveries.isEmpty)
        #expect(try await readyUpdate() == nil)
    }

    @Test func `without goodware nothing is delivered and the reason is shown`() async throws {
        let status = try await analyse([Fixture.packet(attack: 1)], provers: ProverSource(ProverSettings()))
        #expect(status.updates == ["unproven": 1])
        #expect(status.latestUpdates.first?.reason?.contains("absent-from-goodware: no goodware index is at hand") == true)
        #expect(status.deliveries.isEmpty)
        #expect(status.events.last?.step == .unproven)
    }

    @Test func `a cluster that can't be read is made anew of the attack's next report`() async throws {
        _ = try await analyse([Fixture.packet(attack: 1, host: "host-1", evidence: [.memoryFile])])
        try await store.transaction { try $0.db.execute(sql: "UPDATE clusters SET signature = '{'") }
        let status = try await analyse(["host-2", "host-3"].map { Fixture.packet(attack: 1, host: $0, evidence: [.memoryFile]) })
        #expect(status.clusters == 1)
        #expect(status.updates == ["proven": 1])
        #expect(status.reports == ["analysed": 3])
    }

    @Test func `a cluster that can't be read holds up no other's proof`() async throws {
        _ = try await analyse([Fixture.packet(attack: 1, evidence: [.memoryFile])])
        try await store.transaction { transaction in
            try transaction.requestProof(of: 1)
            try transaction.db.execute(sql: "UPDATE clusters SET signature = '{'")
        }
        #expect(try await analyse([Fixture.packet(attack: 2, host: "host-2")]).updates == ["proven": 1])
        let status = try await analyse(["host-3", "host-4"].map { Fixture.packet(attack: 1, host: $0, evidence: [.memoryFile]) })
        #expect(status.updates == ["proven": 2], "its next report mends it")
    }

    @Test func `a packet that can't be read is left out of its attack's signature`() async throws {
        _ = try await analyse(["host-1", "host-2"].map { Fixture.packet(attack: 1, host: $0, evidence: [.memoryFile]) })
        try await store.transaction { try $0.db.execute(sql: "UPDATE reports SET packet = ? WHERE seq = 1", arguments: [Data([0xff])]) }
        let status = try await analyse([Fixture.packet(attack: 1, host: "host-3", evidence: [.memoryFile])])
        #expect(status.updates == ["proven": 1])
    }

    @Test func `a cluster that was pruned since it was read into memory is made anew`() async throws {
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: Fixture.provers)
        for number in 0..<3 {
            let packet = try ReceivedPacket(Fixture.packet(attack: 1, number: number))
            _ = try await store.add(Report(sender: Fixture.host, body: .packet(packet)))
            while try await analyst.analyse() > 0 {}
            guard number == 0 else { continue }
            try await store.transaction { transaction in
                for table in ["deliveries", "updates", "evidence", "reports", "clusters"] {
                    try transaction.db.execute(sql: "DELETE FROM \(table)")
                }
            }
        }
        let status = try await store.status()
        #expect(status.clusters == 1)
        #expect(status.reports == ["analysed": 2])
        #expect(status.updates == ["proven": 1])
    }

    @Test func `a packet's updates show each check of their proof`() async throws {
        let packet = Fixture.packet(attack: 1)
        _ = try await analyse([packet])
        let update = try #require(try await store.updates(ofPacket: packet.id).first)
        #expect(update.proof.passed)
        #expect(update.proof.check(.matchesSamples)?.outcome == .passed)
        let error = await #expect(throws: EpitopeError.self) { try await store.updates(ofPacket: "none") }
        #expect(error?.code == .packetNotFound)
    }

    @Test func `a failed proof is made again with other material`() async throws {
        _ = try await analyse([Fixture.packet(attack: 1)], provers: ProverSource(ProverSettings()))
        let status = try await analyse([], provers: Fixture.provers)
        #expect(status.updates == ["unproven": 1], "nobody has looked yet")
        let analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: Fixture.provers)
        #expect(try await analyst.analyse() == 1)
        #expect(try await store.status().updates == ["unproven": 1, "proven": 1])
        #expect(try await readyUpdate()?.revision == 2)
        #expect(try await analyst.analyse() == 0)
    }

    @Test func `the event of a proof names the checks that were not made`() async throws {
        let status = try await analyse([Fixture.packet(attack: 1)])
        let detail = try #require(status.events.last?.detail)
        for part in [
            "matches-samples: 1 of 1", "absent-from-goodware: not checked", "on-the-wire: not checked", "no-benign-flow: not checked",
        ] {
            #expect(detail.contains(part), "\(detail)")
        }
    }

    @Test func `sids are of the site's range, the same in every store, and never given twice`() async throws {
        let status = try await analyse((1...5).map { Fixture.packet(attack: UInt8($0)) })
        let numbers = Dictionary(uniqueKeysWithValues: status.latestUpdates.map { ($0.signatureID, $0.sid) })
        #expect(Set(numbers.values).count == 5)
        for attack in UInt8(1)...5 {
            #expect(numbers[Fixture.signature(attack: attack).id] == Fixture.number(attack: attack))
            #expect(SIDRange.ofSite.contains(Fixture.number(attack: attack)))
        }
    }
}

extension AnalysisTests {
    /// Bytes in the shape of code of which no two variants have the same caller window: constants between what never varies.
    private func variant(_ number: UInt8, port: UInt16 = 1434) -> ExtractedPacket {
        var random = SeededGenerator(seed: 1000 + UInt64(number))
        func filler(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        func part(_ count: Int, _ seed: UInt64) -> [UInt8] { InertInstructions.bytes(count, seed: seed) }
        // mov rdi and mov r11 with constants of eight bytes.
        let code =
            filler(100...200) + part(24, 77) + [0x48, 0xbf] + filler(8...8) + part(20, 78) + [0x49, 0xbb] + filler(8...8) + part(16, 79)
        var packet = Fixture.packet(attack: number, number: Int(number), host: "host-\(number)", port: port)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
        packet.callersAddress = 0x1000 + UInt64(code.count)
        return packet
    }

    @Test func `variants of one attack are one cluster and get one signature`() async throws {
        var status = try await analyse((1...3).map { variant($0) })
        #expect(status.clusters == 1)
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil)
        let signatures = try await store.ruleSet().pending.map(\.rule.update.signature)
        // The first packet's window stood until the second was missed.
        #expect(signatures.count <= 3)
        // Variants that nobody has seen are matched by what stands: nothing more is made.
        let before = status.updates
        status = try await analyse((10...19).map { variant($0) })
        #expect(status.clusters == 1)
        #expect(status.updates == before)
        for number in UInt8(10)...19 {
            guard case .code(let code) = variant(number).content else { continue }
            #expect(signatures.contains { $0.matches(code.bytes) }, "variant \(number)")
        }
    }

    @Test func `like code against another service is a cluster of its own`() async throws {
        let status = try await analyse([variant(1), variant(2, port: 53)])
        #expect(status.clusters == 2)
    }

    @Test func `unlike attacks on one service are clusters of their own`() async throws {
        let status = try await analyse((1...5).map { Fixture.packet(attack: $0, number: Int($0), host: "host-\($0)") })
        #expect(status.clusters == 5)
    }
}
