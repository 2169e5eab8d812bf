// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import GRDB
import PacketCoding
import Rendering
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// A host whose certificate an intruder has sends what it likes. It may cost that host its own place, and nobody else theirs.
@Suite("One reporter's junk holds up nobody")
struct FairnessTests {
    private let site: AnalysingStore
    private var store: CenterStore { site.store }

    init() throws { site = try AnalysingStore() }

    private func receive(_ packet: ExtractedPacket) async throws { try await site.receive(packet) }
    private func analyse() async throws { try await site.analyse() }

    /// A packet of random bytes.
    private func junk(_ number: Int, host: String = "intruder") -> ExtractedPacket {
        var random = SeededGenerator(seed: 5000 + UInt64(number))
        var packet = Fixture.packet(attack: 200, number: number, host: host)
        let bytes = (0..<96).map { _ in UInt8.random(in: 0...255, using: &random) }
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true))
        packet.parameters.process.listening = []
        return packet
    }

    private func reserve() async throws -> Set<String> {
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil)
        return Set(try await store.ruleSet().pending.map(\.rule.update.signature.id))
    }

    @Test func `three junk packets of one host do not keep a rule from another's attack`() async throws {
        for number in 0..<5 { try await receive(junk(number)) }
        try await analyse()
        #expect(try await reserve().count == 1, "one place for one host's word")
        try await receive(Fixture.packet(attack: 1, host: "host-2"))
        try await analyse()
        #expect(try await reserve().contains(Fixture.signature(attack: 1).id))
    }

    @Test func `what two hosts report has a place whatever others sent before`() async throws {
        for intruder in 0..<4 {
            for number in 0..<5 { try await receive(junk(intruder * 10 + number, host: "intruder-\(intruder)")) }
        }
        try await analyse()
        #expect(try await reserve().count == 2)
        try await receive(Fixture.packet(attack: 1, host: "host-1"))
        try await analyse()
        #expect(try await !reserve().contains(Fixture.signature(attack: 1).id), "one word more among many")
        try await receive(Fixture.packet(attack: 1, host: "host-2"))
        try await analyse()
        #expect(try await reserve().contains(Fixture.signature(attack: 1).id))
    }

    @Test func `a place that waits is told with the share that it waits for`() async throws {
        for number in 0..<2 { try await receive(junk(number)) }
        try await analyse()
        _ = try await reserve()
        let told = try await store.events().filter { $0.step == .quotaExceeded }.map(\.detail)
        #expect(told == ["3 a day: updates, 1 of them on the word of host:intruder alone"])
    }

    @Test func `junk of one host takes a bounded number of proofs and rule numbers`() async throws {
        for number in 0..<70 { try await receive(junk(number)) }
        try await analyse()
        let status = try await store.status()
        #expect(status.clusters == 70)
        #expect(status.updates == ["proven": 64])
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM rules") } == 64)
        let told = try await store.events().filter { $0.step == .quotaExceeded }.map(\.detail)
        #expect(told.count == 6)
        #expect(told.last == "64 attacks on the word of host:intruder alone are proven; this one waits for another's")
        // Another host's attack, and junk that another host has, too, are proven at once.
        try await receive(Fixture.packet(attack: 1, host: "host-2"))
        try await receive(junk(69, host: "host-3"))
        try await analyse()
        #expect(try await store.status().updates == ["proven": 66])
    }

    @Test func `junk that two send together takes the shares of both, and no more`() async throws {
        // One has said it all before the other does, whose word frees none of it.
        for intruder in ["intruder-1", "intruder-2"] {
            for number in 0..<140 { try await receive(junk(number, host: intruder)) }
            try await analyse()
        }
        #expect(try await store.status().updates == ["proven": 128])
        #expect(try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM proofs") } == 128)
        let told = try await store.events().filter { $0.step == .quotaExceeded }.map(\.detail)
        let shares = "64 attacks on the word of host:intruder-1, and of each other that reports it, are proven"
        #expect(told.last == "\(shares); this one waits for another's")
        // New junk of both is no exception.
        for intruder in ["intruder-1", "intruder-2"] { try await receive(junk(200, host: intruder)) }
        try await analyse()
        #expect(try await store.status().updates == ["proven": 128])
        // What somebody else reports is proven at once, also where the two report it as well.
        try await receive(Fixture.packet(attack: 1, host: "host-1"))
        for host in ["intruder-1", "host-2"] { try await receive(Fixture.packet(attack: 2, host: host)) }
        try await receive(junk(139, host: "host-3"))
        try await analyse()
        #expect(try await store.status().updates == ["proven": 131])
    }

    @Test func `what two report counts for the one of whom less is proven`() async throws {
        func counted() async throws -> [String: Int] {
            try await store.snapshot { transaction in
                let rows = try Row.fetchAll(transaction.db, sql: "SELECT sole_reporter, count(*) AS count FROM proofs GROUP BY 1")
                return Dictionary(uniqueKeysWithValues: rows.map { ($0["sole_reporter"], $0["count"]) })
            }
        }
        for number in 0..<10 { try await receive(junk(number, host: "a")) }
        try await analyse()
        #expect(try await counted() == ["host:a": 10])
        for number in 0..<10 { try await receive(junk(number, host: "b")) }
        try await analyse()
        #expect(try await counted() == ["host:a": 5, "host:b": 5])
    }

    @Test func `who reports others' attacks, too, doesn't delay their proofs`() async throws {
        let pending = try await store.transaction { transaction in
            let now = transaction.nowMilliseconds
            func evidence(_ name: String) -> WeighedEvidence {
                WeighedEvidence(reporter: "host:\(name)", kind: "k", points: 100, timeMilliseconds: now, machine: "machine of \(name)")
            }
            for (attack, names) in [(UInt8(1), ["a"]), (2, ["b", "intruder"])] {
                let cluster = try transaction.addCluster(of: Fixture.signature(attack: attack)).id
                _ = try transaction.add(names.map(evidence), to: .cluster(cluster), by: AttackThreshold())
                try transaction.requestProof(of: cluster, countedFor: ReportSource(reporter: "host:intruder", machine: nil))
            }
            return try transaction.pendingProofs(limit: 9).map { $0.sources.map(\.holder) }
        }
        #expect(pending == [["machine of b", "machine of intruder"], ["host:intruder"]], "a sole one's is whose it counts for")
    }

    @Test func `what more reporters say is proven first`() async throws {
        let ordered = try await store.transaction { transaction in
            for (attack, reporters) in [(UInt8(1), 1), (2, 3), (3, 2)] {
                let cluster = try transaction.addCluster(of: Fixture.signature(attack: attack)).id
                let evidence = (0..<reporters).map {
                    WeighedEvidence(
                        reporter: "host:\($0)", kind: "k", points: 100, timeMilliseconds: transaction.nowMilliseconds)
                }
                _ = try transaction.add(evidence, to: .cluster(cluster), by: AttackThreshold())
                try transaction.requestProof(of: cluster)
            }
            return try transaction.pendingProofs(limit: 9).map(\.cluster)
        }
        #expect(ordered == [2, 3, 1])
    }

    @Test func `an idle center writes nothing while something waits`() async throws {
        for number in 0..<4 { try await receive(junk(number)) }
        try await analyse()
        _ = try await reserve()
        func changes() async throws -> Int { try await store.transaction { try $0.totalChanges } }
        let before = try await changes()
        for _ in 0..<5 { _ = try await reserve() }
        #expect(try await changes() == before)
    }
}
