// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import GRDB
import PacketCoding
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis
@testable import CenterStore

/// Two sites of one intruder say the same whenever he likes, and one that is trusted may become his. They have a share of what every
/// subscriber takes, and no more.
@Suite("What is published in a day is shared out by site")
struct PublicationQuotaTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/global.sqlite", clock: clock.clock)
    }

    private func analyst(updatesADay: Int) -> ReportAnalyst {
        var policy = AnalysisPolicy(threshold: .init(), targets: [.feed], forwards: .never, lifetimeDays: 90)
        policy.needsIndependentSites = true
        policy.publicationsADay = updatesADay
        return ReportAnalyst(store: store, policy: policy, provers: Fixture.provers)
    }

    private func site(_ name: String) -> Identity { Identity(role: .localCenter, name: name) }

    /// Each site in a network of its own.
    private func report(_ attacks: [UInt8], by sites: [String]) async throws {
        for attack in attacks {
            for name in sites {
                try await store.noteSource(of: site(name), address: Fixture.address(of: name).description)
                let forward = ForwardedPacket(
                    packet: Fixture.packet(attack: attack, host: "h-\(name)"), reporter: "h-\(name)",
                    signature: Fixture.signature(attack: attack))
                _ = try await store.add(Report(sender: site(name), body: .forward(forward)))
            }
        }
    }

    private func published(_ analyst: ReportAnalyst) async throws -> Set<UInt8> {
        while try await analyst.analyse() > 0 {}
        let ids = Set(try await store.feedPage(after: .start).entries.compactMap { $0.update?.signature.id })
        return Set((1...30).filter { ids.contains(Fixture.signature(attack: $0).id) })
    }

    @Test func `two sites fill no day of the others, and what they say goes out on later ones`() async throws {
        let analyst = analyst(updatesADay: 10)
        try await report([1, 2, 3, 4, 5, 6, 7], by: ["bad-1", "bad-2"])
        // Each has a tenth.
        #expect(try await published(analyst) == [1, 2])
        let told = try await store.events().filter { $0.step == .quotaExceeded }
        #expect(told.count == 5)
        #expect(
            Set(told.map(\.detail))
                == Set([1, 2].map { "10 a day: publications, 1 of them on the word of local-center:bad-\($0) and one other at most" }))
        let waiting = try await store.status().waiting
        #expect(waiting.count == 5 && Set(waiting.map(\.reason)) == ["waits for the day's quota of publications"])
        let packet = Fixture.packet(attack: 3, host: "h-bad-1")
        #expect(try await store.waitingReason(ofPacket: packet.id) == "waits for the day's quota of publications")

        try await report([10], by: ["c", "d"])
        #expect(try await published(analyst) == [1, 2, 10])
        // What a third site reports, too, is nobody's own.
        try await report([3], by: ["e"])
        #expect(try await published(analyst) == [1, 2, 3, 10])
        clock.advance(milliseconds: TestClock.day + 1)
        #expect(try await published(analyst).count == 6)
        clock.advance(milliseconds: TestClock.day + 1)
        #expect(try await published(analyst).count == 8)
        #expect(try await store.status().waiting.isEmpty)
    }

    @Test func `a site that reports everything before the others uses up nobody's share but its own`() async throws {
        let analyst = analyst(updatesADay: 10)
        try await report([1, 2, 3, 4], by: ["bad-1", "bad-2"])
        #expect(try await published(analyst).count == 2)
        try await report([11], by: ["bad-1", "c"])
        #expect(try await published(analyst).contains(11))
        // Its share is used up as well as theirs: the next waits behind its own, of which there are none.
        try await report([12], by: ["bad-1", "c"])
        #expect(try await !published(analyst).contains(12))
        clock.advance(milliseconds: TestClock.day + 1)
        #expect(try await published(analyst).contains(12))
    }

    @Test func `a signature that fewer support than its cluster waits, and is not proven again and again`() async throws {
        let analyst = analyst(updatesADay: 10)
        try await report([1, 2], by: ["a", "b"])
        #expect(try await published(analyst) == [1, 2])
        try await store.noteSource(of: site("c"), address: "192.0.2.1")
        var policy = AnalysisPolicy(threshold: .init(), targets: [.feed], forwards: .never, lifetimeDays: 90)
        policy.publicationsADay = 10
        try await store.transaction { [policy] transaction in
            let cluster = try transaction.addCluster(of: Fixture.signature(attack: 3))
            for name in ["a", "b", "c"] {
                let evidence = WeighedEvidence(
                    reporter: "local-center:\(name)", kind: EvidenceKind.directCall.rawValue, points: 100,
                    timeMilliseconds: transaction.nowMilliseconds)
                _ = try transaction.add([evidence], to: .cluster(cluster.id), by: AttackThreshold())
            }
            #expect(try transaction.earlyPublicationClaim(of: cluster.id, limit: 10).isAdmitted)
            let samples = ["a", "b"].map { name in
                var sample = Sample(Fixture.packet(attack: 3))
                sample.reporter = "local-center:\(name)"
                return sample
            }
            let task = VerificationTask(cluster: cluster, samples: samples, withdrawn: [], oldest: [], packets: 3, standing: [])
            let proven = ProvenSignature(signature: Fixture.signature(attack: 3), proof: Fixture.update(attack: 3).proof)
            let waits = try DeliveryScheduler(transaction: transaction, policy: policy)
                .schedule(CompletedVerification(task: task, outcome: ProverResult(proven: [proven], failed: nil)), of: cluster)
            let claim = try #require(waits.claim)
            #expect(!waits.isForSupporters && claim.reporters == 3 && claim.soleSource?.reporter == "local-center:a")
            #expect(try transaction.holdProof(of: cluster.id, for: claim))
        }
        func changes() async throws -> Int { try await store.transaction { try $0.totalChanges } }
        let before = try await changes()
        for _ in 0..<5 { #expect(try await published(analyst) == [1, 2]) }
        #expect(try await changes() == before)
    }

    @Test func `a trusted site's word has a share, too`() async throws {
        let analyst = analyst(updatesADay: 20)
        try await report([1, 2, 3, 4, 5], by: ["trusted"])
        try await store.setTrust(in: site("trusted"), to: true, by: "anna")
        #expect(try await published(analyst).count == 2)
        #expect(try await store.status().waiting.count == 3)
    }

    @Test func `the day has so many places, and what most sites report is first`() async throws {
        let analyst = analyst(updatesADay: 2)
        for attack in 1...4 as ClosedRange<UInt8> { try await report([attack], by: ["a-\(attack)", "b-\(attack)"]) }
        try await report([5], by: ["x", "y", "z"])
        let first = try await published(analyst)
        #expect(first.count == 2 && first.contains(5))
        clock.advance(milliseconds: TestClock.day + 1)
        #expect(try await published(analyst).count == 4)
    }

    @Test func `while something waits for the quota nothing is written, and its reports ask for no proof`() async throws {
        let analyst = analyst(updatesADay: 1)
        try await report([1, 2], by: ["a", "b"])
        #expect(try await published(analyst).count == 1)
        func changes() async throws -> Int { try await store.transaction { try $0.totalChanges } }
        let before = try await changes()
        for _ in 0..<5 { _ = try await published(analyst) }
        #expect(try await changes() == before)
        let events = try await store.events().count { $0.step == .quotaExceeded }
        let packet = Fixture.packet(attack: 2, number: 9, host: "h-a")
        let forward = ForwardedPacket(packet: packet, reporter: "h-a", signature: Fixture.signature(attack: 2))
        _ = try await store.add(Report(sender: site("a"), body: .forward(forward)))
        #expect(try await published(analyst).count == 1)
        #expect(try await store.events().count { $0.step == .quotaExceeded } == events)
    }
}
