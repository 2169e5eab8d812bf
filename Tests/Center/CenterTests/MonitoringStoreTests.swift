// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import CenterMonitoring
import EpitopeModel
import GRDB
import PacketCoding
import SettingsFiles
import TestSupport
import Testing

@testable import CenterStore

@Suite("What a store says of itself for metrics")
struct MonitoringStoreTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", reportRoom: ReportRoom(maxBytes: 64 << 20), clock: clock.clock)
    }

    private func count(_ step: CenterEvent.Step) -> Int64? { store.counters.events.values[[step.rawValue]] }

    @Test func `what a transaction did is counted once it is on the disk`() async throws {
        #expect(count(.weighed) == 0)
        try await store.transaction { try $0.record(.weighed, "packet", "1 of 100 points") }
        #expect(count(.weighed) == 1)
        await #expect(throws: EpitopeError.self) {
            try await store.transaction { transaction in
                try transaction.record(.weighed, "packet", "1 of 100 points")
                throw EpitopeError(.diskFull, "it is full", remedy: "make room")
            }
        }
        #expect(count(.weighed) == 1)
    }

    @Test func `a report is seen from its arrival to its analysis`() async throws {
        await store.prepare()
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1)))))
        clock.advance(milliseconds: 5000)
        let sample = try await store.sample()
        #expect(sample.reportsWaiting == 1 && sample.behindSeconds == 5)
        #expect(sample.limitBytes == 64 << 20)
        // What a database takes is brought up to date by its server every few seconds, and its disk is not this machine's.
        if TestStore.isFile {
            #expect(sample.fileBytes > 0 && sample.usedBytes > 0)
            #expect((sample.diskFreeBytes ?? 0) > 0)
        }
        #expect(count(.stored) == 1 && store.counters.clusters.value == 0)
        let cluster = try await store.transaction { transaction in
            let cluster = try transaction.addCluster(of: Fixture.signature(attack: 1))
            for report in try transaction.waitingReports(limit: 9) { try transaction.markAnalysed(report, in: cluster.id, kinds: []) }
            return cluster
        }
        #expect(cluster.id > 0 && store.counters.clusters.value == 1 && store.counters.analysed.value == 1)
        #expect(try await store.sample().reportsWaiting == 0)
        clock.advance(milliseconds: 31 * TestClock.day)
        try await store.prune(olderThanDays: 30)
        #expect(store.counters.removed.value(.reports) == 1 && store.counters.removed.value(.clusters) == 1)
        #expect(store.counters.clusters.value == 0)
    }

    @Test(.enabled(if: TestStore.isFile, "a database's bound is tested with its statistics (CentersOverOneDatabaseTests)"))
    func `a store that may hold no more says so when it is tried, and a small write leaves no trace`() async throws {
        try await store.checkWriting()
        #expect(try await store.events().isEmpty)
        let full = try TestStore.open(path: folder.path + "/full.sqlite", reportRoom: ReportRoom(maxBytes: 4096))
        let error = await #expect(throws: EpitopeError.self) { try await full.checkWriting() }
        #expect(error?.code == .diskFull)
    }

    @Test(.enabled(if: TestStore.isFile, "SQLite counts its steps"))
    func `a look costs the same whatever the store holds`() async throws {
        func steps(_ rows: Int) async throws -> Int {
            let store = try TestStore.open(path: "\(folder.path)/\(rows).sqlite", clock: clock.clock)
            try await store.transaction { transaction in
                let all = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows)) "
                try transaction.db.execute(
                    sql: """
                        INSERT INTO reports (id, kind, role, name, received_ms) \(all) SELECT 'r' || i, 'packet', 'host', 'h', i FROM n;
                        INSERT INTO analyses (report_seq, state, kinds, is_packet) SELECT seq, 'analysed', '', 1 FROM reports;
                        INSERT INTO clusters (signature_id, signature, created_ms) \(all) SELECT 's' || i, '', i FROM n;
                        INSERT INTO events (time_ms, step, subject, detail) \(all) SELECT i, 'stored', 'r' || i, '' FROM n;
                        INSERT INTO proofs (cluster_id, state) SELECT id, 'made' FROM clusters;
                        INSERT INTO updates (signature_id, revision, origin, body, state, created_ms, expires_ms)
                          \(all) SELECT 's' || i, 1, 'site', '', 'expired', 1, 2 FROM n;
                        INSERT INTO deliveries (update_id, target, state, changed_ms) SELECT id, 'ids', 'removed', 1 FROM updates;
                        INSERT INTO quota_uses (quota, item_kind, item, time_ms) \(all) SELECT 'updates', 'delivery', i, 1 FROM n;
                        """)
                try transaction.setMark(.quotaLimits, "{\"updates\":3,\"globalUpdates\":100,\"forwards\":3}")
            }
            let counter = StepCounter()
            try await counter.attach(to: store)
            _ = try await store.sample()
            let before = counter.count
            let sample = try await store.sample()
            #expect(sample.quotas["updates"]?.uses == 0 && sample.proofsPending == 0)
            return withExtendedLifetime(counter) { counter.count - before }
        }
        let (few, many) = (try await steps(10), try await steps(10_000))
        #expect(few > 100 && many < few + 100, "\(few), \(many)")
    }

    @Test(arguments: [
        ("127.0.0.1:9464", true), ("127.9.9.9:1", true), ("[::1]:9464", true), ("localhost:0", true), ("/run/epitope/metrics", true),
        ("[::ffff:127.0.0.1]:1", true), ("0.0.0.0:9464", false), ("10.0.0.1:9464", false), ("[::]:9464", false), ("[2001:db8::1]:1", false),
    ])
    func `an address is this machine's alone, or not`(text: String, isLoopback: Bool) throws {
        let address = try #require(MonitoringAddress(text))
        #expect(address.isLoopback == isLoopback)
        #expect(MonitoringAddress(address.description) == address)
        var settings = MonitoringSettings()
        settings.metrics = text
        if isLoopback { _ = try settings.address() } else { #expect(throws: EpitopeError.self) { try settings.address() } }
        settings.metricsBeyondLoopback = true
        _ = try settings.address()
    }

    @Test(arguments: [
        "", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:9464", "metrics.socket", "example.org:9464",
        "/" + String(repeating: "a", count: 200),
    ])
    func `what is no address is refused`(text: String) {
        #expect(MonitoringAddress(text) == nil)
        var settings = MonitoringSettings()
        settings.metrics = text
        let error = #expect(throws: EpitopeError.self) { try settings.address() }
        #expect(error?.code == .configurationInvalid)
    }
}
