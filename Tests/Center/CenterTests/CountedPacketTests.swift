// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import GRDB
import GlobalCenter
import LocalCenter
import PacketCoding
import SettingsFiles
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// `counting: each-packet` and `weights`.
@Suite("Each packet counts where the settings say so, with the weights that they say")
struct CountedPacketTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
    }

    // MARK: Sums

    /// Whatever comes in, and in whatever order time passes, the kept sum is what all packets add up to.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `the kept sums are those of all packets`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        var all: [EvidenceScope: [WeighedEvidence]] = [:]
        for step in 0..<300 {
            clock.advance(milliseconds: Int64.random(in: seed == 4 ? -20_000_000...30_000_000 : 0...9_000_000, using: &random))
            let now = clock.clock.nowMilliseconds
            let cluster = EvidenceScope.cluster(Int64.random(in: 1...3, using: &random))
            let reporter = "host:\(Int.random(in: 1...4, using: &random))"
            let time = now - Int64.random(in: 0...5_000_000, using: &random)
            let evidence = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                WeighedEvidence(
                    from: ReportSource(reporter: reporter, machine: nil),
                    evidence: Evidence(
                        kind: EvidenceKind.allCases[Int.random(in: 3..<EvidenceKind.allCases.count, using: &random)], detail: ""),
                    timeMilliseconds: time, packet: Int64(step))
            }
            let window = Int64(step / 50 % 3 + 1) * 40_000_000
            let threshold = AttackThreshold(windowMilliseconds: window, maxPointsPerReporter: 300, counting: .packets)
            for scope in [cluster, .site] {
                all[scope, default: []] += evidence
                let sum = try await store.transaction { try $0.add(evidence, to: scope, by: threshold) }
                let expected = threshold.decide(all[scope, default: []], nowMilliseconds: now)
                #expect(threshold.decide(sum) == expected, "step \(step), \(scope)")
            }
        }
    }

    private func packet(_ number: Int64, of reporter: String = "host:1", points: Int = 10) -> WeighedEvidence {
        WeighedEvidence(reporter: reporter, kind: "k", points: points, timeMilliseconds: clock.clock.nowMilliseconds, packet: number)
    }

    private func rows() async throws -> Int {
        try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT count(*) FROM counted_packets") ?? 0 }
    }

    @Test func `of one reporter no more rows are kept than can make a difference`() async throws {
        let threshold = AttackThreshold(counting: .packets)
        for number in 1...200 {
            clock.advance(milliseconds: 1)
            let item = packet(Int64(number))
            let sum = try await store.transaction { try $0.add([item], to: .cluster(1), by: threshold) }
            #expect(sum.points == min(100, number * 10))
        }
        #expect(try await rows() == 10)
        // The newest ten are the last that leave the window.
        clock.advance(milliseconds: TestClock.day - 9)
        #expect(try await store.transaction { try $0.add([], to: .cluster(1), by: threshold) }.points == 90)
        clock.advance(milliseconds: 9)
        #expect(try await store.transaction { try $0.add([], to: .cluster(1), by: threshold) } == .zero)
    }

    @Test func `packets that weigh little are bounded, too, and go with their cluster and their age`() async throws {
        let threshold = AttackThreshold(maxPointsPerReporter: 1_000_000, counting: .packets)
        let cluster = try await store.transaction { try $0.addCluster(of: Fixture.signature(attack: 1)).id }
        let items = (1...400).map { packet(Int64($0)) }
        let sum = try await store.transaction { transaction in
            var sum = EvidenceSum.zero
            for item in items { sum = try transaction.add([item], to: .cluster(cluster), by: threshold) }
            return sum
        }
        #expect(sum.points == 10 * StoreTransaction.maxCountedPackets)
        #expect(try await rows() == StoreTransaction.maxCountedPackets)
        let other = packet(1000)
        _ = try await store.transaction { try $0.add([other], to: .cluster(99), by: threshold) }
        try await store.transaction { try $0.db.execute(sql: "DELETE FROM clusters") }
        #expect(try await rows() == 1)
        clock.advance(milliseconds: 2 * TestClock.day)
        try await store.prune(olderThanDays: 1)
        #expect(try await rows() == 0)
        #expect(try await store.transaction { try $0.add([], to: .cluster(99), by: threshold) } == .zero)
    }

    @Test func `the setting is taken over both ways, and names of one machine stay one at the site`() async throws {
        let (each, once) = (AttackThreshold(counting: .packets), AttackThreshold())
        func add(_ number: Int64, by threshold: AttackThreshold) async throws -> Int {
            let item = packet(number, points: 40)
            return try await store.transaction { try $0.add([item], to: .cluster(1), by: threshold) }.points
        }
        #expect(try await add(1, by: once) == 40)
        #expect(try await add(2, by: once) == 40)
        #expect(try await add(3, by: each) == 40, "packets count from then on")
        #expect(try await add(4, by: each) == 80)
        #expect(try await add(5, by: once) == 40)
        #expect(try await rows() == 0)
        #expect(try await add(6, by: each) == 40)
        // The site's sum is made anew of the clusters' packets.
        let now = clock.clock.nowMilliseconds
        let sum = try await store.transaction { transaction in
            for (cluster, name) in [(Int64(7), "host:b"), (8, "host:c")] {
                let item = WeighedEvidence(
                    reporter: name, kind: "k", points: 30, timeMilliseconds: now, machine: "m", packet: 10 + cluster)
                _ = try transaction.add([item], to: .cluster(cluster), by: each)
            }
            return try transaction.add([], to: .site, by: each)
        }
        #expect(sum == EvidenceSum(points: 100, reporters: 2))
    }

    // MARK: Reports

    private func analyse(_ packets: [ExtractedPacket], by policy: AnalysisPolicy) async throws -> [String] {
        let analyst = ReportAnalyst(store: store, policy: policy, provers: Fixture.provers)
        for packet in packets {
            let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
            while try await analyst.analyse() > 0 {}
        }
        return try await store.status(events: 1000).events.filter { $0.step == .weighed }.map(\.detail)
    }

    private func policy(_ counting: AttackThreshold.Counting, weights: [EvidenceKind: Int] = [:]) -> AnalysisPolicy {
        var policy = AnalysisPolicy(
            threshold: AttackThreshold(counting: counting), targets: [.ids], forwards: .never, lifetimeDays: 90)
        for (kind, points) in weights { policy.weights[kind] = points }
        return policy
    }

    /// One host's weak evidence, several times.
    private func weak(_ numbers: Range<Int>, host: String = "host-1") -> [ExtractedPacket] {
        numbers.map { Fixture.packet(attack: 1, number: $0, host: host, evidence: [.memoryFile]) }
    }

    @Test func `by default a kind counts once however many packets a host sends`() async throws {
        let details = try await analyse(weak(0..<3), by: policy(.kinds))
        #expect(details == Array(repeating: "40 of 100 points", count: 3))
    }

    @Test func `each packet of a host counts, up to what one reporter can bring`() async throws {
        let details = try await analyse(weak(0..<4), by: policy(.packets))
        #expect(
            details == [
                "40 of 100 points", "80 of 100 points", "100 of 100 points, threshold reached", "100 of 100 points, threshold reached",
            ])
        #expect(try await store.status().updates == ["proven": 1])
    }

    @Test func `one host's packets alone don't reach a threshold of two hosts`() async throws {
        var policy = policy(.packets)
        policy.threshold.points = 200
        _ = try await analyse(weak(0..<9), by: policy)
        #expect(try await store.status().updates.isEmpty)
        _ = try await analyse(weak(0..<3, host: "host-2"), by: policy)
        #expect(try await store.status().updates == ["proven": 1])
    }

    @Test func `evidence weighs what the settings say`() async throws {
        let details = try await analyse(weak(0..<1), by: policy(.kinds, weights: [.memoryFile: 100]))
        #expect(details == ["100 of 100 points, threshold reached"])
        let less = try await analyse([Fixture.packet(attack: 2)], by: policy(.kinds, weights: [.directCall: 70]))
        #expect(less.last == "70 of 100 points")
        let nothing = try await analyse([Fixture.packet(attack: 3)], by: policy(.packets, weights: [.directCall: 0]))
        #expect(nothing.last == "0 of 100 points")
    }

    // MARK: Settings

    /// The path of a file with these settings.
    private func file(_ text: String) throws -> String {
        let path = folder.path + "/settings.yaml"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    @Test func `both are settings of both centers, taken over while they run`() throws {
        let text = "counting: each-packet\nweights:\n  call-from-memory-file: 60\n  direct-call-from-unbacked-memory: 0\n"
        let local = try LocalCenterConfiguration.load(path: file(text))
        #expect(local.analysis.threshold().counting == .packets)
        #expect(local.analysis.weights.weights[.memoryFile] == 60 && local.analysis.weights.weights[.directCall] == 0)
        #expect(local.analysis.weights.weights[.libraryCall] == 100, "the others stay")
        #expect(LocalCenterConfiguration().takingLive(from: local) == local)
        let global = try GlobalCenterConfiguration.load(path: file(text))
        #expect(global.analysis.weights == local.analysis.weights && GlobalCenterConfiguration().takingLive(from: global) == global)
        // Each kind of evidence has its key.
        let listed = local.list().filter { $0.name.hasPrefix("weights.") }
        #expect(listed.map(\.name) == EvidenceKind.allCases.map { "weights.\($0.rawValue)" } && listed.allSatisfy(\.isLive))
        for wrong in [
            "weights: 5", "weights: {no-such-kind: 5}", "weights: {packed-program: 1001}", "weights: {packed-program: -1}", "counting: all",
        ] {
            let path = try file(wrong + "\n")
            let error = #expect(throws: EpitopeError.self) { try LocalCenterConfiguration.load(path: path) }
            #expect(error?.code == .configurationInvalid, "\(wrong)")
        }
    }

    @Test func `a center that runs takes them over`() async throws {
        let place = try TemporaryFolder()
        defer { withExtendedLifetime(place) {} }
        let center = try RunningCenter(folder: place, clock: clock, ids: FakeIDS(), global: FakeGlobalCenter())
        for packet in weak(0..<2) { try await center.receive(packet) }
        try await center.awaitAnalysed(2)
        var changed = center.service.configuration
        changed.analysis.counting = .packets
        changed.analysis.weights.weights[.memoryFile] = 50
        await center.service.follow(changed)
        for packet in weak(2..<4) { try await center.receive(packet) }
        try await center.awaitAnalysed(4)
        let weighed = try await center.status().events.filter { $0.step == .weighed }.map(\.detail)
        #expect(weighed == ["40 of 100 points", "40 of 100 points", "50 of 100 points", "100 of 100 points, threshold reached"])
        await center.kill()
    }
}
