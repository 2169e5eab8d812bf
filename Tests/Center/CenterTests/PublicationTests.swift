// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Logging
import PacketCoding
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis
@testable import CenterStore
@testable import GlobalCenter

@Suite("What one site says alone doesn't reach the world")
struct PublicationTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/global.sqlite", clock: clock.clock)
    }

    private func withCenter(_ body: (GlobalCenterService) async throws -> Void) async throws {
        var configuration = GlobalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let service = GlobalCenterService(configuration: configuration, store: store, logger: logger)
        let task = Task { try await service.run() }
        let result = await Result.catching { try await body(service) }
        task.cancel()
        _ = await task.result
        try result.get()
    }

    private func site(_ name: String) -> Identity { Identity(role: .localCenter, name: name) }

    /// A site forwards a packet of an attack.
    private func report(_ attack: UInt8, by name: String, from address: String, to center: GlobalCenterService) async throws {
        try await center.noteSource(of: site(name), address: address)
        let packet = Fixture.packet(attack: attack, host: "host-\(name)")
        _ = try await center.receive(
            ForwardedPacket(packet: packet, reporter: "host-\(name)", signature: Fixture.signature(attack: attack)), from: site(name))
    }

    private func published() async throws -> [String] {
        try await store.feedPage(after: .start).entries.compactMap { $0.update?.signature.id }
    }

    private func awaitAnalysed(_ count: Int) async throws {
        try await eventually("\(count) are analysed") { try await store.status().reports == ["analysed": count] }
        try await eventually("the proofs are made") { try await store.snapshot { try $0.pendingProofs(limit: 1).isEmpty } }
    }

    private func waiting() async throws -> [StatusReport.WaitingAttack] { try await store.status().waiting }

    @Test func `one site waits for a second one, and status, show and events say so`() async throws {
        try await withCenter { center in
            for host in 1..<4 {
                try await center.noteSource(of: site("a"), address: "192.0.2.1")
                let packet = Fixture.packet(attack: 1, host: "host-\(host)")
                _ = try await center.receive(
                    ForwardedPacket(packet: packet, reporter: "host-\(host)", signature: Fixture.signature(attack: 1)), from: site("a"))
            }
            try await awaitAnalysed(3)
            #expect(try await published().isEmpty)
            let reason = "waits for a second site, or for trust in the one that reported it"
            let id = Fixture.signature(attack: 1).id
            #expect(try await waiting() == [.init(signatureID: id, reporters: 1, reason: reason)])
            #expect(try await store.waitingReason(ofPacket: Fixture.packet(attack: 1, host: "host-1").id) == reason)
            let events = try await store.events(subject: id).filter { $0.step == .waiting }
            #expect(events.map(\.detail) == [reason], "it is told once")

            try await report(1, by: "b", from: "198.51.100.1", to: center)
            try await eventually("it is published") { try await published() == [id] }
            try await eventually("nothing waits") { try await waiting().isEmpty }
            #expect(try await store.waitingReason(ofPacket: Fixture.packet(attack: 1, host: "host-1").id) == nil)
        }
    }

    @Test func `a site's update alone is not published either`() async throws {
        try await withCenter { center in
            try await center.noteSource(of: site("a"), address: "192.0.2.1")
            _ = try await center.receive(Fixture.update(attack: 1), from: site("a"))
            try await awaitAnalysed(1)
            #expect(try await published().isEmpty)
            try await center.noteSource(of: site("b"), address: "198.51.100.1")
            _ = try await center.receive(Fixture.update(attack: 1), from: site("b"))
            try await eventually("it is published") { try await published() == [Fixture.signature(attack: 1).id] }
        }
    }

    @Test func `nor is what it concluded from many hosts`() async throws {
        let lie = SiteConclusion(points: 1_000_000, hosts: 50_000, grade: .confirmed)
        func forward(_ name: String) -> ForwardedPacket {
            ForwardedPacket(
                packet: Fixture.packet(attack: 1, host: "host-\(name)", evidence: [.memoryFile]), reporter: "host-\(name)",
                signature: Fixture.signature(attack: 1), conclusion: lie)
        }
        try await withCenter { center in
            for (name, address) in [("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "198.51.100.1")] {
                #expect(try await published().isEmpty, "one network is one voice")
                try await center.noteSource(of: site(name), address: address)
                _ = try await center.receive(forward(name), from: site(name))
                guard name != "c" else { break }
                try await awaitAnalysed(name == "a" ? 1 : 2)
            }
            try await eventually("it is published") { try await published() == [Fixture.signature(attack: 1).id] }
        }
    }

    @Test func `a host that reports straight is no more than a site`() async throws {
        try await withCenter { center in
            try await center.noteSource(of: Fixture.host, address: "192.0.2.1")
            _ = try await center.receive(ReceivedPacket(Fixture.packet(attack: 1)), from: Fixture.host)
            try await awaitAnalysed(1)
            #expect(try await published().isEmpty)
        }
    }

    @Test func `who enrols again under other names from one network is one`() async throws {
        try await withCenter { center in
            for number in 1...6 { try await report(1, by: "site-\(number)", from: "192.0.2.\(number)", to: center) }
            try await awaitAnalysed(6)
            #expect(try await published().isEmpty)
            #expect(try await waiting().map(\.reporters) == [6])
            #expect(try await waiting().first?.reason.contains("192.0.2.0/24") == true)
            // Nor by a network more.
            try await report(2, by: "site-1", from: "198.51.100.1", to: center)
            try await report(2, by: "site-2", from: "192.0.2.2", to: center)
            try await awaitAnalysed(8)
            #expect(try await published().isEmpty)
        }
    }

    @Test func `a trusted site's word is enough, and what it reported before is published at once`() async throws {
        try await withCenter { center in
            try await report(1, by: "a", from: "192.0.2.1", to: center)
            try await report(2, by: "b", from: "192.0.2.2", to: center)
            try await awaitAnalysed(2)
            #expect(try await published().isEmpty)
            #expect(try await store.setTrust(in: site("a"), to: true, by: "anna") == 1)
            await center.wake()
            try await eventually("it is published") { try await published() == [Fixture.signature(attack: 1).id] }
            try await report(3, by: "a", from: "192.0.2.1", to: center)
            try await eventually("so is the next") { try await published().count == 2 }
            #expect(try await store.events(subject: "a").filter { $0.step == .trusted }.map(\.detail) == ["the local-center, by anna"])

            try await store.setTrust(in: site("a"), to: false, by: "anna")
            try await report(4, by: "a", from: "192.0.2.1", to: center)
            try await awaitAnalysed(4)
            #expect(try await published().count == 2)
            #expect(
                try await store.status().peers == [
                    .init(reporter: "local-center:a", networks: ["192.0.2.0/24"], isTrusted: false),
                    .init(reporter: "local-center:b", networks: ["192.0.2.0/24"], isTrusted: false),
                ])
        }
    }

    @Test func `a revoked site is no second one, and no longer trusted`() async throws {
        try await withCenter { center in
            try await report(1, by: "a", from: "192.0.2.1", to: center)
            try await awaitAnalysed(1)
            try await store.setTrust(in: site("a"), to: true, by: "anna")
            try await store.revoke(site("a"), nowMilliseconds: clock.clock.nowMilliseconds)
            await center.wake()
            try await report(1, by: "b", from: "198.51.100.1", to: center)
            try await awaitAnalysed(2)
            #expect(try await published().isEmpty)
            #expect(try await store.status().peers.allSatisfy { !$0.isTrusted })
        }
    }

    @Test func `a site that was revoked while the clock was ahead counts again once it has enrolled anew`() async throws {
        try await withCenter { center in
            let ahead = clock.clock.nowMilliseconds + 30 * TestClock.day
            try await store.revoke(site("a"), nowMilliseconds: ahead)
            try await store.noteCertificate(of: site("a"), issuedMilliseconds: ahead + 1)
            try await store.setTrust(in: site("a"), to: true, by: "anna")
            clock.advance(milliseconds: 1000)
            try await report(1, by: "a", from: "192.0.2.1", to: center)
            try await awaitAnalysed(1)
            try await eventually("it is published") { try await !published().isEmpty }
        }
    }

    @Test(arguments: [(["a", "b"], 1), (["a", "a"], 0)])
    func `a packet that only lies in a cluster of others doesn't speak for their signature`(senders: [String], count: Int) async throws {
        for (name, address) in [("a", "192.0.2.1"), ("b", "198.51.100.1")] { try await store.noteSource(of: site(name), address: address) }
        var policy = AnalysisPolicy(threshold: .init(), targets: [.feed], forwards: .never, lifetimeDays: 90)
        policy.needsIndependentSites = true
        try await store.transaction { [policy] transaction in
            let cluster = try transaction.addCluster(of: Fixture.signature(attack: 1))
            for name in ["a", "b"] {
                let evidence = WeighedEvidence(
                    reporter: "local-center:\(name)", kind: EvidenceKind.directCall.rawValue, points: 100,
                    timeMilliseconds: transaction.nowMilliseconds)
                _ = try transaction.add([evidence], to: .cluster(cluster.id), by: AttackThreshold())
            }
            #expect(try transaction.publication(of: cluster.id) == .publish)
            let samples = senders.map { name in
                var sample = Sample(Fixture.packet(attack: 1))
                sample.reporter = "local-center:\(name)"
                return sample
            }
            let task = VerificationTask(cluster: cluster, samples: samples, withdrawn: [], oldest: [], packets: 2, standing: [])
            let proven = ProvenSignature(signature: Fixture.signature(attack: 1), proof: Fixture.update(attack: 1).proof)
            let waits = try DeliveryScheduler(transaction: transaction, policy: policy)
                .schedule(CompletedVerification(task: task, outcome: ProverResult(proven: [proven], failed: nil)), of: cluster)
            #expect(waits.isForSupporters == (count == 0) && waits.claim == nil)
        }
        #expect(try await published().count == count)
    }

    @Test func `the networks of a reporter have a bound`() async throws {
        for network in 0..<40 { try await store.noteSource(of: site("a"), address: "10.0.\(network).1") }
        try await store.noteSource(of: site("a"), address: "no address")
        #expect(try await store.status().peers.first?.networks.count == 16)
    }
}

extension Result where Failure == any Error {
    fileprivate static func catching(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
