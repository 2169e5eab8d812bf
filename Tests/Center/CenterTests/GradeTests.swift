// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import Dispatch
import EpitopeModel
import LocalCenter
import PacketCoding
import Rendering
import Scheduling
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis

@Suite("One host's word makes no rule that drops")
struct GradeTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func `grades follow the reporters and the wire`() {
        #expect(EvidenceGrade(reporters: 1, isOnTheWire: false) == .reported)
        #expect(EvidenceGrade(reporters: 1, isOnTheWire: true) == .corroborated)
        #expect(EvidenceGrade(reporters: 2, isOnTheWire: false) == .corroborated)
        #expect(EvidenceGrade(reporters: 4, isOnTheWire: true) == .corroborated)
        #expect(EvidenceGrade(reporters: 5, isOnTheWire: false) == .confirmed)
        #expect(EvidenceGrade.allCases == EvidenceGrade.allCases.sorted())
    }

    @Test func `a rule alerts on one host's word, and drops when a second one says the same`() async throws {
        let ids = FakeIDS(isDropping: true)
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids) { $0.forwarding = false }
        try await center.receive(Fixture.packet(attack: 1, host: "host-1"))
        try await center.awaitDeliveries(["ids delivered": 1])
        #expect(await ids.rules.map(\.update.mayDrop) == [false])
        // As often as it likes.
        for number in 1..<4 { try await center.receive(Fixture.packet(attack: 1, number: number, host: "host-1")) }
        try await center.awaitAnalysed(4)
        #expect(await ids.rules.map(\.update.mayDrop) == [false])
        try await center.receive(Fixture.packet(attack: 1, host: "host-2"))
        try await eventually("it may drop") { await ids.rules.map(\.update.mayDrop) == [true] }
        let id = Fixture.signature(attack: 1).id
        let told = try await center.store.events(subject: id).filter { $0.step == .graded }.map(\.detail)
        #expect(told == ["revision 1: corroborated: 2 reporters, 200 of 100 points"])
        await center.kill()
    }

    @Test(arguments: [(EvidenceGrade.reported, [true, true, true]), (.confirmed, [false, false, true])])
    func `from which grade on rules drop is a setting`(grade: EvidenceGrade, expected: [Bool]) async throws {
        let ids = FakeIDS(isDropping: true)
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids) {
            $0.forwarding = false
            $0.dropFrom = grade
        }
        var seen: [Bool] = []
        var hosts = 0
        for count in [1, 2, 5] {
            while hosts < count {
                hosts += 1
                try await center.receive(Fixture.packet(attack: 1, host: "host-\(hosts)"))
            }
            try await center.awaitAnalysed(hosts)
            try await center.awaitDeliveries(["ids delivered": 1])
            try await eventually("graded") { try await center.status().latestUpdates.first?.support?.reporters == count }
            try await eventually("confirmed") { try await center.store.ruleSet(isDropping: true).isConfirmed }
            seen += await ids.rules.map(\.update.mayDrop)
        }
        #expect(seen == expected)
        await center.kill()
    }

    @Test func `what an update rests on is shown`() async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: FakeIDS()) { $0.forwarding = false }
        let packet = Fixture.packet(attack: 1)
        try await center.receive(packet)
        try await center.awaitDeliveries(["ids delivered": 1])
        let support = try await center.status().latestUpdates.first?.support
        #expect(
            support
                == EvidenceSupport(
                    grade: .reported, reporters: 1, points: 100, threshold: 100, packets: [packet.id], isEnoughToDrop: false,
                    narrowedTo: [Fixture.address(of: "host-1")]))
        #expect(support?.summary == "reported: 1 reporter, 100 of 100 points, alert only, at \(Fixture.address(of: "host-1"))")
        await center.kill()
    }

    @Test(arguments: [false, true])
    func `a rule on one host's word is about that host, and for the whole site when a second one says the same`(
        _ isDropping: Bool
    ) async throws {
        let ids = FakeIDS(isDropping: isDropping)
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids) { $0.forwarding = false }
        try await center.receive(Fixture.packet(attack: 1, host: "host-1"), source: "192.0.2.1")
        try await center.awaitDeliveries(["ids delivered": 1])
        #expect(await ids.rules.map(\.update.support?.narrowedTo) == [[try #require(IPAddress("192.0.2.1"))]])
        let told = try await center.status().latestUpdates.first?.support?.summary
        #expect(told == "reported: 1 reporter, 100 of 100 points, alert only, at 192.0.2.1")
        let header = try SuricataRendering.render(RuleInput(#require(await ids.rules.first))).prefix { $0 != "(" }
        #expect(header == "alert udp any any -> [192.0.2.1] [1434] ")
        try await center.receive(Fixture.packet(attack: 1, host: "host-2"), source: "192.0.2.2")
        try await eventually("it is for the whole site") { await ids.rules.map(\.update.support?.narrowedTo) == [nil] }
        try await eventually("confirmed") { try await center.store.ruleSet(isDropping: isDropping).isConfirmed }
        let delivered = try await center.store.events(subject: Fixture.signature(attack: 1).id).filter { $0.step == .delivered }
        let forms = ["alerts at its reporter", isDropping ? "now drops" : "now alerts"]
        #expect(delivered.map { $0.detail.prefix { $0 != ":" }.drop { $0 != "r" } } == forms.map { "revision 1 \($0)" })
        await center.kill()
    }

    /// Whoever sends code of his own that has a run of an attack's in it gets into its cluster, and none of its reporters.
    @Test func `another host's packets that are only like it don't speak for a signature`() async throws {
        let ids = FakeIDS(isDropping: true)
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids) { $0.forwarding = false }
        try await center.receive(Fixture.packet(attack: 1, host: "host-1"), source: "192.0.2.1")
        try await center.awaitDeliveries(["ids delivered": 1])
        // All of the attack but what stands at its call.
        let attack = Fixture.code(attack: 1).bytes
        let runs = [0..<16, 16..<32, 64..<80, 80..<96].map { [0x90] + attack[$0] }
        let code = Fixture.code(attack: 2).bytes + runs.joined()
        func like(from host: String) -> ExtractedPacket {
            var packet = Fixture.packet(attack: 2, host: host)
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
            return packet
        }
        /// Where the rules of either code apply, and whether they drop.
        func rules() async -> [String] {
            await ids.rules.map { rule in
                let name = rule.update.signature.matches(code) ? "like it" : "attack"
                let places = rule.update.support?.narrowedTo.map { $0.map(\.description).joined(separator: " and ") }
                return "\(name): \(rule.update.mayDrop ? "drops" : "alerts") at \(places ?? "the site")"
            }.sorted()
        }
        try await center.receive(like(from: "host-2"), source: "192.0.2.2")
        try await center.awaitDeliveries(["ids delivered": 2])
        #expect(try await center.status().clusters == 1)
        #expect(await rules() == ["attack: alerts at 192.0.2.1", "like it: alerts at 192.0.2.2"])
        try await center.receive(like(from: "host-3"), source: "192.0.2.3")
        try await eventually("what two hosts say drops") { await rules().last == "like it: drops at the site" }
        #expect(await rules() == ["attack: alerts at 192.0.2.1", "like it: drops at the site"])
        await center.kill()
    }

    @Test func `who joined right before a center was killed counts when it starts again`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        let policy = AnalysisPolicy(threshold: AttackThreshold(), targets: [.ids], forwards: .never, lifetimeDays: 90)
        func report(by host: String) async throws {
            let packet = try ReceivedPacket(Fixture.packet(attack: 1, host: host))
            _ = try await store.add(Report(sender: Identity(role: .host, name: host), body: .packet(packet)))
        }
        func analyse() async throws {
            let analyst = ReportAnalyst(store: store, policy: policy, provers: Fixture.provers)
            while try await analyst.analyse() > 0 {}
        }
        try await report(by: "host-1")
        try await analyse()
        try await report(by: "host-2")
        // As far as one gets that is killed when it has weighed the report.
        try await store.transaction { transaction in
            let plan = try ReportPlanner.plan(
                transaction.waitingReports(limit: 9), knowing: ClusterIndex(), in: transaction, samples: SampleCache(), policy: policy)
            var analysis = ReportAnalysis(transaction: transaction, policy: policy)
            for planned in plan { try analysis.analyse(planned) }
            #expect(analysis.joined.count == 1)
        }
        #expect(try await store.status(events: 1).latestUpdates.map(\.support?.grade) == [.reported])
        try await analyse()
        #expect(try await store.status(events: 1).latestUpdates.map(\.support?.grade) == [.corroborated])
    }

    /// A proof may read captures for minutes.
    @Test func `reports are analysed while a proof is made, and who joins meanwhile counts`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        let policy = AnalysisPolicy(threshold: AttackThreshold(), targets: [.ids], forwards: .never, lifetimeDays: 90)
        let analyst = ReportAnalyst(store: store, policy: policy, provers: Fixture.provers)
        func report(_ attack: UInt8, by host: String) async throws {
            let packet = try ReceivedPacket(Fixture.packet(attack: attack, host: host))
            _ = try await store.add(Report(sender: Identity(role: .host, name: host), body: .packet(packet)))
            #expect(try await analyst.analyseReports() == 1)
        }
        try await report(1, by: "host-1")
        // The proof waits until this has gone on.
        let (begun, goOn) = (AsyncStream.makeStream(of: Void.self), DispatchSemaphore(value: 0))
        async let held: Void = analyst.work.run {
            begun.continuation.finish()
            goOn.wait()
        }
        for await _ in begun.stream {}
        async let proofs = analyst.prove()
        try await eventually("the proof is to be made") { await analyst.proving != nil }
        try await report(1, by: "host-2")
        try await report(2, by: "host-3")
        #expect(try await store.status().latestUpdates.isEmpty)
        goOn.signal()
        await held
        #expect(try await proofs > 0)
        while try await analyst.analyse() > 0 {}
        let updates = try await store.status().latestUpdates
        #expect(updates.first { $0.signatureID == Fixture.signature(attack: 1).id }?.support?.grade == .corroborated)
        #expect(updates.first { $0.signatureID == Fixture.signature(attack: 2).id }?.support?.grade == .reported)
    }

    @Test func `what an attack rested on still holds when the captures that showed it are gone`() async throws {
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        var standing = Fixture.update(attack: 1)
        standing.support = EvidenceSupport(
            grade: .corroborated, reporters: 1, points: 100, threshold: 100, packets: [], isEnoughToDrop: true)
        let policy = AnalysisPolicy(threshold: AttackThreshold(), targets: [.ids], forwards: .never, lifetimeDays: 90)
        let grades = try await store.snapshot { [standing] transaction in
            let keeper = GradeKeeper(transaction: transaction, policy: policy)
            return [
                try keeper.support(of: 1, by: Supporters(), proof: Proof(checks: [])).grade,
                try keeper.support(of: 1, by: Supporters(), proof: Proof(checks: []), after: [standing]).grade,
            ]
        }
        #expect(grades == [.reported, .corroborated])
    }
}
