// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import PacketCoding
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
        store = try CenterStore(path: folder.path + "/center.sqlite", clock: TestClock().clock)
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
            var planner = ReportPlanner(transaction: transaction, known: known, samples: SampleCache(), policy: policy)
            return try transaction.waitingReports(limit: 10).map { try planner.plan($0).destination }
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
}
