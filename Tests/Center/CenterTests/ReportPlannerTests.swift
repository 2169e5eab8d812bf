// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import PacketCoding
import SignatureMaking
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis
@testable import CenterStore

@Suite("A report goes to the cluster of its own window before one that is like it")
struct ReportPlannerTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
    }

    /// Code with the window of attack 1 at its call, before which it holds that of attack 2 if that is so.
    private func add(number: Int, holdsOther: Bool) async throws {
        var packet = Fixture.packet(attack: 1, number: number)
        let other = holdsOther ? Array(Fixture.code(attack: 2).bytes[32..<64]) : []
        let code = other + Fixture.code(attack: 1).bytes
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
        packet.callersAddress = 0x1000 + UInt64(other.count) + 64
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packet))))
    }

    private func destinations(knowing known: ClusterIndex) async throws -> [PlannedReport.Destination?] {
        try await store.snapshot { transaction in
            let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90)
            return try ReportPlanner.plan(
                transaction.waitingReports(limit: 10), knowing: known, in: transaction, samples: SampleCache(), policy: policy
            ).map(\.destination)
        }
    }

    private var otherInMemory: ClusterIndex {
        var index = ClusterIndex()
        index.add(cluster: 77, signature: Fixture.signature(attack: 2))
        return index
    }

    @Test func `also where that is in the store only`() async throws {
        let own = try await store.transaction { try $0.addCluster(of: Fixture.signature(attack: 1)).id }
        try await add(number: 1, holdsOther: true)
        #expect(try await destinations(knowing: otherInMemory) == [.known(own)])
    }

    @Test func `also where that is made by a report of the same group`() async throws {
        try await add(number: 1, holdsOther: false)
        try await add(number: 2, holdsOther: true)
        #expect(try await destinations(knowing: otherInMemory) == [.new(0), .new(0)])
    }

    @Test func `and else to the one that is like it`() async throws {
        try await add(number: 1, holdsOther: true)
        #expect(try await destinations(knowing: otherInMemory) == [.known(77)])
    }

    /// A head that many codes came behind looks like code in common until it is known that it is none, which takes long.
    @Test func `which bytes of a report are code is found out once`() async throws {
        for number in 0..<3 {
            var random = SeededGenerator(seed: 100 + UInt64(number))
            let noise = (0..<600).map { _ in UInt8.random(in: 0...255, using: &random) }
            var packet = Fixture.packet(attack: 1, number: number)
            let code = noise[..<200] + Array("GET /a/head/that/all/came/behind HTTP/1.1".utf8) + noise[200...]
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: Array(code), isWholeRegion: true))
            packet.callersAddress = 0x1000 + 500
            _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(packet))))
        }
        let samples = SampleCache()
        let planned = try await store.snapshot { transaction in
            let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90)
            return try ReportPlanner.plan(
                transaction.waitingReports(limit: 10), knowing: ClusterIndex(), in: transaction, samples: samples, policy: policy)
        }
        #expect(planned.count == 3)
        #expect((1...3).contains(samples.places.count), "\(samples.places.count)")
    }

    /// What is found out on all processors beforehand changes nothing: neither for variants of several codes in turn, nor for the same
    /// code again, nor for what is like nothing.
    @Test(arguments: [1, 2, 3])
    func `a group's reports go where they go one by one`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let templates = CodeTemplate.all.filter { $0.name != "arm64" }.prefix(5)
        for number in 0..<60 {
            var packet = Fixture.packet(
                attack: UInt8(number % 7), number: number, host: "host-\(number % 9)", port: number % 4 == 0 ? 80 : 8080)
            if number % 3 != 0, let template = templates.randomElement(using: &random) {
                let variant = template.variant(&random)
                packet.architecture = variant.architecture
                packet.content = .code(variant.code)
                packet.callersAddress = variant.callersAddress
            }
            let sender = Identity(role: .host, name: "host-\(number % 9)")
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
        }
        let policy = AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90)
        let (together, single, forecast) = try await store.snapshot { transaction in
            let reports = try transaction.waitingReports(limit: 60)
            func plan(_ forecasts: [ReportForecast]) throws -> [PlannedReport.Destination?] {
                try ReportPlanner.plan(
                    forecasts, knowing: ClusterIndex(), in: transaction, samples: SampleCache(), policy: policy
                ).map(\.destination)
            }
            let forecasts = ReportForecast.all(of: reports, knowing: ClusterIndex(), policy: policy, stored: { _ in nil })
            var bare = forecasts
            for index in bare.indices { bare[index].likeness = [:] }
            return (try plan(forecasts), try plan(bare), forecasts)
        }
        #expect(together == single)
        // Else the forecasts prove nothing.
        #expect(forecast.contains { $0.likeness.values.contains(true) } && forecast.contains { $0.likeness.values.contains(false) })
        #expect(Set(together).count > 7 && Set(together).count < 40)
    }
}
