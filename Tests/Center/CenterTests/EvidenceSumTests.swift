// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import GRDB
import TestSupport
import Testing

@testable import CenterStore

/// Sums are kept beside the evidence. Whatever comes in, and in whatever order time passes, they are what all of the evidence adds
/// up to.
@Suite("The kept sums are those of all evidence")
struct EvidenceSumTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
    }

    private func run(
        seed: UInt64, steps: Int, pause: ClosedRange<Int64>, threshold: (Int) -> AttackThreshold
    ) async throws {
        var random = SeededGenerator(seed: seed)
        for step in 0..<steps {
            clock.advance(milliseconds: Int64.random(in: pause, using: &random))
            let now = clock.clock.nowMilliseconds
            let cluster = Int64.random(in: 1...3, using: &random)
            let reporter = "host:\(Int.random(in: 1...6, using: &random))"
            let evidence = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                WeighedEvidence(
                    from: ReportSource(reporter: reporter, machine: nil),
                    evidence: Evidence(kind: EvidenceKind.allCases[Int.random(in: 0..<5, using: &random)], detail: ""),
                    timeMilliseconds: now - Int64.random(in: 0...5_000_000, using: &random))
            }
            let threshold = threshold(step)
            try await store.transaction { transaction in
                for scope in [EvidenceScope.cluster(cluster), .site] {
                    let sum = try transaction.add(evidence, to: scope, by: threshold)
                    let all = try Row.fetchAll(
                        transaction.db, sql: "SELECT * FROM evidence WHERE cluster_id = ? OR (? AND cluster_id <> 0)",
                        arguments: [scope.number, scope == .site]
                    ).map {
                        WeighedEvidence(reporter: $0["reporter"], kind: $0["kind"], points: $0["points"], timeMilliseconds: $0["time_ms"])
                    }
                    #expect(threshold.decide(sum) == threshold.decide(all, nowMilliseconds: now), "step \(step), \(scope)")
                    let start = threshold.windowStart(nowMilliseconds: now)
                    #expect(sum.reporters == Set(all.filter { $0.timeMilliseconds > start }.map(\.reporter)).count, "step \(step)")
                    let kinds = Set(all.filter { $0.timeMilliseconds > start }.map(\.kind))
                    if scope != .site { #expect(try transaction.evidenceKinds(of: cluster) == kinds) }
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `while evidence comes and grows old`(seed: UInt64) async throws {
        try await run(seed: seed, steps: 300, pause: 0...20_000_000) { _ in AttackThreshold() }
    }

    @Test func `after other settings`() async throws {
        try await run(seed: 4, steps: 200, pause: 0...9_000_000) { step in
            AttackThreshold(windowMilliseconds: Int64(step / 20 % 3 + 1) * 40_000_000, maxPointsPerReporter: step / 30 % 2 == 0 ? 100 : 150)
        }
    }

    @Test func `after the clock was set back`() async throws {
        try await run(seed: 5, steps: 200, pause: -40_000_000...50_000_000) { _ in AttackThreshold() }
    }

    @Test func `after evidence was removed`() async throws {
        let threshold = AttackThreshold(windowMilliseconds: 100 * TestClock.day)
        let now = clock.clock.nowMilliseconds
        let old = WeighedEvidence(reporter: "host:1", kind: "a", points: 40, timeMilliseconds: now - 50 * TestClock.day)
        let new = WeighedEvidence(reporter: "host:2", kind: "a", points: 40, timeMilliseconds: now)
        let sums = try await store.transaction { transaction in
            let before = try transaction.add([old], to: .cluster(1), by: threshold)
            try transaction.db.execute(sql: "DELETE FROM evidence WHERE time_ms < ?", arguments: [now - 30 * TestClock.day])
            return [before, try transaction.add([new], to: .cluster(1), by: threshold)]
        }
        #expect(sums == [EvidenceSum(points: 40, reporters: 1), EvidenceSum(points: 40, reporters: 1)])
    }

    @Test func `a reporter that comes back after its evidence was removed is no other`() async throws {
        let threshold = AttackThreshold(windowMilliseconds: 10 * TestClock.day)
        for reporters in [["host:1"], ["host:2", "host:1"]] {
            for (step, reporter) in (reporters + ["host:1"]).enumerated() {
                let now = clock.clock.nowMilliseconds
                let item = WeighedEvidence(reporter: reporter, kind: "a", points: 40, timeMilliseconds: now)
                let weight = try await store.transaction { transaction in
                    _ = try transaction.add([item], to: .cluster(1), by: threshold)
                    return try transaction.weight(of: 1)
                }
                #expect(weight.soleSource?.reporter == (reporters.count == 1 || step == 2 ? "host:1" : step == 0 ? "host:2" : nil))
                // It no longer counts, then it is removed.
                clock.advance(milliseconds: 20 * TestClock.day)
                guard step + 1 == reporters.count else { continue }
                try await store.transaction { transaction in
                    _ = try transaction.add([], to: .cluster(1), by: threshold)
                    try transaction.db.execute(sql: "DELETE FROM evidence")
                }
            }
            try await store.transaction { try $0.db.execute(sql: "DELETE FROM cluster_sums") }
            try await store.transaction { try $0.db.execute(sql: "DELETE FROM evidence") }
        }
    }

    @Test func `a cluster's reporters and packets are counted, and go with it`() async throws {
        try await store.transaction { transaction in
            let cluster = try transaction.addCluster(of: Fixture.signature(attack: 1)).id
            for (number, reporter) in ["host:1", "host:2", "host:1"].enumerated() {
                let item = WeighedEvidence(reporter: reporter, kind: "k\(number)", points: 10, timeMilliseconds: 1_700_000_000_000)
                _ = try transaction.add([item], to: .cluster(cluster), by: AttackThreshold())
                try transaction.countPacket(of: cluster)
            }
            let row = try #require(try Row.fetchOne(transaction.db, sql: "SELECT * FROM cluster_sums"))
            #expect(row["known_reporters"] == 2)
            #expect(row["first_reporter"] == "host:1")
            #expect(try transaction.packetsSoFar(of: cluster) == 3)
            try transaction.db.execute(sql: "DELETE FROM clusters")
            #expect(try Int.fetchOne(transaction.db, sql: "SELECT count(*) FROM cluster_sums") == 0)
        }
    }
}
