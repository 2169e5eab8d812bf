// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import GRDB
import PacketCoding
import Synchronization
import TestSupport
import Testing

@testable import CenterStore

/// Counts what SQLite does, in steps of its virtual machine: a row that a statement looks at is some steps, whatever it finds.
final class StepCounter: Sendable {
    private typealias Callback = @convention(c) (UnsafeMutableRawPointer?) -> CInt
    private typealias SetHandler = @convention(c) (OpaquePointer?, CInt, Callback?, UnsafeMutableRawPointer?) -> Void

    private let steps = Atomic<Int>(0)

    var count: Int { steps.load(ordering: .relaxed) }

    /// Counts on the store's one writing connection from now on, and on the reading one that is used while only one is needed; the
    /// counter must outlive the store.
    func attach(to store: CenterStore) async throws {
        // The handler is SQLite's own, which GRDB doesn't offer.
        let symbol = try #require(dlsym(nil, "sqlite3_progress_handler"))
        let setHandler = unsafeBitCast(symbol, to: SetHandler.self)
        let attach: @Sendable (StoreTransaction) throws -> Void = { transaction in
            guard case .sqlite(let database) = transaction.db else { return }
            setHandler(
                database.sqliteConnection, 1,
                { counter in
                    Unmanaged<StepCounter>.fromOpaque(counter!).takeUnretainedValue().steps.add(1, ordering: .relaxed)
                    return 0
                }, Unmanaged.passUnretained(self).toOpaque())
        }
        try await store.transaction(attach)
        try await store.snapshot(attach)
    }
}

@Suite("The work for a packet does not grow with the store", .enabled(if: TestStore.isFile))
struct ConstantWorkTests {
    /// A store in which one cluster has that many packets and reporters, and there are as many other clusters.
    private func steps(rows: Int, counter: AttackThreshold.Counter) async throws -> (known: Int, new: Int) {
        let folder = try TemporaryFolder()
        let clock = TestClock()
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        let analyst = ReportAnalyst(
            store: store,
            policy: AnalysisPolicy(
                threshold: AttackThreshold(points: 1_000_000_000, counter: counter), targets: [.ids], forwards: .all, lifetimeDays: 90),
            provers: Fixture.provers)
        func analyse(_ packet: ExtractedPacket) async throws {
            let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
            while try await analyst.analyse() > 0 {}
        }
        try await analyse(Fixture.packet(attack: 1, host: "first"))
        let now = clock.clock.nowMilliseconds
        try await store.transaction { transaction in
            let all = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows)) "
            try transaction.db.execute(
                sql: """
                    INSERT INTO reports (id, kind, role, name, received_ms, packet)
                      \(all) SELECT 'r' || i, 'packet', 'host', 'h' || i, \(now), (SELECT packet FROM reports WHERE seq = 1) FROM n;
                    INSERT INTO analyses (report_seq, state, kinds, cluster_id, is_packet)
                      SELECT seq, 'analysed', 'direct-call-from-unbacked-memory', 1, 1 FROM reports WHERE seq > 1;
                    INSERT INTO clusters (signature_id, signature, created_ms)
                      \(all) SELECT 's' || i, (SELECT signature FROM clusters WHERE id = 1), \(now) FROM n;
                    """)
            for number in 1...rows {
                for scope in [EvidenceScope.cluster(1), .site] where counter == .site || scope != .site {
                    let item = WeighedEvidence(
                        from: ReportSource(reporter: "host:h\(number)", machine: "m\(number)"),
                        evidence: Evidence(kind: .directCall, detail: ""), timeMilliseconds: now)
                    _ = try transaction.add([item], to: scope, by: AttackThreshold())
                }
            }
        }
        // What only the first packet after the start costs.
        try await analyse(Fixture.packet(attack: 1, number: 1, host: "second"))
        let steps = StepCounter()
        try await steps.attach(to: store)
        let start = steps.count
        try await analyse(Fixture.packet(attack: 1, number: 2, host: "third"))
        let middle = steps.count
        try await analyse(Fixture.packet(attack: 2, number: 3, host: "fourth"))
        defer { withExtendedLifetime(steps) {} }
        return (middle - start, steps.count - middle)
    }

    /// What a look at the day's quotas costs while that many deliveries and forwards wait, of which none may go now, and then one may.
    private func quotaSteps(waiting: Int) async throws -> (closed: Int, open: Int, proofs: Int) {
        let folder = try TemporaryFolder()
        let clock = TestClock()
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        let limits = QuotaLimits(updates: 3, forwards: 3)
        let now = clock.clock.nowMilliseconds
        let body = try RowCoding.json(Fixture.update(attack: 1))
        try await store.transaction { transaction in
            let all = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(waiting)) "
            try transaction.db.execute(
                sql: """
                    INSERT INTO clusters (signature_id, signature, created_ms) \(all) SELECT 's' || i, '{}', \(now) FROM n;
                    INSERT INTO cluster_sums (cluster_id, points, known_reporters, first_reporter, first_machine)
                      \(all) SELECT i, 100, 1, 'host:h' || (i / 20), 'm' || (i / 20) FROM n;
                    INSERT INTO proofs (cluster_id, state, reporters, points) \(all) SELECT i, 'pending', 1, 100 FROM n;
                    INSERT INTO reports (id, kind, role, name, received_ms) \(all) SELECT 'r' || i, 'packet', 'host', 'h', \(now) FROM n;
                    INSERT INTO forwards (report_seq, cluster_id, kinds, state, created_ms, changed_ms)
                      \(all) SELECT i, i, '', 'pending', \(now), \(now) FROM n;
                    INSERT INTO rules (id) \(all) SELECT i FROM n;
                    """)
            try transaction.db.execute(
                sql: """
                    INSERT INTO updates (signature_id, revision, origin, cluster_id, rule_id, body, state, created_ms, expires_ms)
                      \(all) SELECT 's' || i, 1, 'site', i, i, ?, 'proven', \(now), \(now + 90 * TestClock.day) FROM n;
                    """, arguments: [body])
            try transaction.db.execute(
                sql: """
                    INSERT INTO deliveries (update_id, target, state, changed_ms) \(all) SELECT i, 'ids', 'pending', \(now) FROM n
                    """)
        }
        // The forwards are held up by the proofs that are requested of their clusters.
        func reserve() async throws {
            _ = try await store.reserveQuota(for: .ids, limits: limits, yieldingTo: .forward)
            _ = try await store.reserveForwardQuota(limits: limits, yieldingTo: .ids)
        }
        _ = try await store.reserveQuota(for: .ids, limits: limits, yieldingTo: nil)
        _ = try await store.reserveForwardQuota(limits: limits, yieldingTo: nil)
        #expect(try await store.status().deliveries == ["ids pending": 2, "ids waiting-quota": waiting - 2])
        #expect(try await store.status().forwards == ["pending": 2, "waiting-quota": waiting - 2])
        let steps = StepCounter()
        defer { withExtendedLifetime(steps) {} }
        try await steps.attach(to: store)
        let start = steps.count
        try await reserve()
        let closed = steps.count - start
        clock.advance(milliseconds: TestClock.day + 1)
        try await reserve()
        let open = steps.count - start - closed
        #expect(try await store.status().deliveries == ["ids pending": 4, "ids waiting-quota": waiting - 4])
        let before = steps.count
        #expect(try await store.snapshot { try $0.pendingProofs(limit: 5) }.count == 5)
        return (closed, open, steps.count - before)
    }

    @Test func `of a look at the quotas, and at what is to be proven`() async throws {
        let (few, many) = (try await quotaSteps(waiting: 500), try await quotaSteps(waiting: 20_000))
        #expect(few.closed > 50 && few.open > 50 && few.proofs > 10)
        #expect(many.closed < few.closed * 5 / 4 && many.open < few.open * 5 / 4, "\(few) steps, then \(many)")
        #expect(many.proofs < few.proofs * 5 / 4, "\(few) steps, then \(many)")
    }

    @Test(arguments: AttackThreshold.Counter.allCases)
    func `of one more packet`(counter: AttackThreshold.Counter) async throws {
        let (few, many) = (try await steps(rows: 50, counter: counter), try await steps(rows: 5000, counter: counter))
        #expect(few.known > 100 && few.new > 100)
        #expect(many.known < few.known * 5 / 4, "\(few) steps, then \(many)")
        #expect(many.new < few.new * 5 / 4, "\(few) steps, then \(many)")
    }
}
