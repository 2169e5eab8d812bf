// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterBackup
import CenterMetrics
import EpitopeModel
import Foundation
import GRDB
import Logging
import PacketCoding
import PostgresStore
import Rendering
import SQLiteStore
import Signatures
import Synchronization
import TestSupport
import Testing

@testable import CenterStore
@testable import LocalCenter
@testable import SecureChannel

@Suite("Several centers over one database are one center", .serialized)
struct CentersOverOneDatabaseTests {
    private let folder: TemporaryFolder
    private let database: String
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        database = try PostgresServer.shared.get().makeDatabase()
    }

    private func open(_ name: String = "one", database: String? = nil) throws -> CenterStore {
        try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
        return try CenterStore(
            postgresql: database ?? self.database, path: "\(folder.path)/\(name)/center.sqlite", clock: clock.clock)
    }

    private func run(_ sql: String) throws -> String {
        try PostgresServer.shared.get().run("SET search_path = epitope; \(sql)", at: database)
    }

    /// - Parameter codeBytes: of code that is kept once for all that report it.
    private func report(
        _ attack: UInt8, number: Int = 0, host: String = "host-1", issuedMilliseconds: Int64? = nil, codeBytes: Int? = nil
    ) throws -> Report {
        var packet = Fixture.packet(attack: attack, number: number, host: host)
        if let codeBytes {
            packet.content = .code(
                ExtractedCode(base: 0x1000, bytes: [UInt8](repeating: attack, count: codeBytes), isWholeRegion: true))
        }
        return Report(
            sender: Identity(role: .host, name: host), issuedMilliseconds: issuedMilliseconds, body: .packet(try ReceivedPacket(packet)))
    }

    private func service(_ store: CenterStore, ids: FakeIDS) -> LocalCenterService {
        var configuration = LocalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return LocalCenterService(configuration: configuration, store: store, installer: ids, link: nil, logger: logger)
    }

    @Test func `both schemas have the same tables and columns`() async throws {
        _ = try open()
        let file = try CenterStore(path: folder.path + "/file.sqlite")
        guard case .sqlite(let sqlite) = file.database else { return }
        let own: Set<String> = ["migrations", "one_writer", "work_lease", "revocation_state"]
        let columns = try await sqlite.read { db in
            try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
                .filter { !$0.hasPrefix("sqlite_") && !$0.hasPrefix("grdb_") }
                .flatMap { table in try db.columns(in: table).map { "\(table).\($0.name)" } }
        }
        let found = try run("SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'epitope'")
            .split(separator: "\n").map(String.init).filter { !own.contains(String($0.prefix { $0 != "." })) }
        #expect(Set(found) == Set(columns))
    }

    @Test func `one does the work, whoever takes a packet in; when it ends the other goes on`() async throws {
        let (one, two) = (try open("one"), try open("two"))
        let (idsOfOne, idsOfTwo) = (FakeIDS(), FakeIDS())
        let services = [service(one, ids: idsOfOne), service(two, ids: idsOfTwo)]
        let first = Task { try await services[0].run() }
        try await eventually("the first has the work") { one.counters.holdsWork.value == 1 }
        let second = Task { try await services[1].run() }
        _ = try await services[1].receive(ReceivedPacket(Fixture.packet(attack: 1)), from: Fixture.host)
        try await eventually("the rule is live") { try await one.status().deliveries == ["ids delivered": 1] }
        #expect(two.counters.holdsWork.value == 0 && two.counters.analysed.value == 0)
        try await eventually("the other machine's IDS has the rule, too") { await idsOfTwo.rules.map(\.sid) == [Fixture.number(attack: 1)] }
        first.cancel()
        _ = await first.result
        try await eventually("the second has the work at once") { two.counters.holdsWork.value == 1 }
        _ = try await services[0].receive(
            ReceivedPacket(Fixture.packet(attack: 2, host: "host-2")), from: Identity(role: .host, name: "host-2"))
        try await eventually("its rule is live") { try await two.status().deliveries == ["ids delivered": 2] }
        #expect(one.counters.holdsWork.value == 0)
        second.cancel()
        _ = await second.result
    }

    @Test func `their audit log is one chain, whoever adds to it`() async throws {
        let stores = try (1...3).map { try open("center-\($0)").acting(as: .person(user: "user-\($0)")) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in stores {
                group.addTask {
                    for number in 0..<20 { try await store.transaction { try $0.record(.trusted, "host-\(number)", "the host") } }
                }
            }
            try await group.waitForAll()
        }
        let found = try await stores[0].verifyAudit()
        #expect(found.broken == nil && found.entries == 60 && found.head.sequence == 60)
        #expect(try await stores[1].auditHead() == found.head)
        #expect(try await Set(stores[2].auditEntries().map(\.actor)).count == 3)
        // Should two add to the same end, the second is refused.
        #expect(throws: (any Error).self) {
            try run("INSERT INTO audit SELECT seq, time_ms, actor, action, subject, 'other', hash FROM audit WHERE seq = 60")
        }
    }

    @Test func `a center that was frozen and goes on gets nothing of its work into the store`() async throws {
        let (frozen, other) = (try open("one"), try open("two"))
        let held = frozen.holding(try #require(try await frozen.takeWork(as: "one")))
        #expect(try await other.takeWork(as: "two") == nil)
        try await held.transaction { try $0.setMark(.passedOver, "1") }
        // Its time is over.
        _ = try run("UPDATE work_lease SET until_ms = 0")
        try await held.transaction { try $0.setMark(.passedOver, "2") }
        let fence = try #require(try await other.takeWork(as: "two"))
        let error = await #expect(throws: EpitopeError.self) { try await held.transaction { try $0.setMark(.passedOver, "3") } }
        #expect(error?.code == .workMoved)
        #expect(try await !frozen.renewWork(try #require(held.fence)))
        #expect(try await other.renewWork(fence))
        #expect(try await other.snapshot { try $0.mark(.passedOver) } == "2")
        #expect(try await frozen.workHolder() == "two")
        // What anybody may do it does.
        #expect(try await !frozen.add(report(1)).wasKnown)
        try await other.releaseWork(fence)
        #expect(try await frozen.takeWork(as: "one") != nil)
    }

    @Test func `a packet that comes to both at once is stored once`() async throws {
        let stores = [try open("one"), try open("two")]
        for round in 0..<10 {
            let known = try await withThrowingTaskGroup { group in
                for store in stores {
                    for number in 0..<8 {
                        group.addTask { try await store.add(report(UInt8(number + 1), number: round, codeBytes: 4000)).wasKnown }
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(known == 8)
        }
        #expect(try run("SELECT count(*), count(DISTINCT id) FROM reports") == "80|80\n")
        #expect(try run("SELECT count(*) FROM bodies") == "8\n")
        #expect(try run("SELECT count(*) FROM waiting_reports") == "80\n")
    }

    @Test func `who is revoked at one center is so at the next request at the other`() async throws {
        let (one, two) = (try open("one"), try open("two"))
        for time in Int64(1)...20 {
            let (here, there) = time % 2 == 0 ? (one, two) : (two, one)
            #expect(try await !there.isRevoked(Fixture.host, issuedMilliseconds: time))
            try await here.revoke(Fixture.host, nowMilliseconds: time)
            #expect(try await there.isRevoked(Fixture.host, issuedMilliseconds: time))
            let error = await #expect(throws: EpitopeError.self) { try await there.add(report(1, issuedMilliseconds: time)) }
            #expect(error?.code == .revoked)
        }
    }

    @Test func `quotas hold over both, and no rule number is given twice`() async throws {
        let stores = [try open("one"), try open("two")]
        for attack in UInt8(1)...12 {
            try await stores[0].transaction { transaction in
                let cluster = try transaction.addCluster(of: Fixture.signature(attack: attack))
                let update = Fixture.update(attack: attack, created: transaction.nowMilliseconds)
                let rule = try transaction.rule(for: update.signature.id)
                let id = try transaction.add(update, of: cluster.id, rule: rule, state: .proven, reason: nil)
                try transaction.addDelivery(of: id, to: .ids)
            }
        }
        let rules = try run("SELECT id FROM rules").split(separator: "\n").compactMap { Int64($0) }
        try await withThrowingTaskGroup { group in
            for store in stores {
                for _ in 0..<4 { group.addTask { _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(), yieldingTo: nil) } }
                // All want the same number.
                for rule in rules {
                    group.addTask {
                        _ = try await store.transaction { try $0.assignSID(toRule: rule, of: Fixture.signature(attack: 1).id) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try run("SELECT count(*) FROM quota_uses") == "\(QuotaLimits().updates)\n")
        #expect(try run("SELECT count(sid), count(DISTINCT sid) FROM rules") == "12|12\n")
    }

    @Test func `whoever reads the feed after a number skips none, whichever centers publish`() async throws {
        let stores = [try open("one"), try open("two")]
        let reader = try open("three")
        let publishing = Task {
            try await withThrowingTaskGroup { group in
                for attack in UInt8(0)..<60 {
                    group.addTask {
                        try await stores[Int(attack) % 2].transaction { transaction in
                            let published = try transaction.publish(
                                Fixture.update(attack: attack, created: transaction.nowMilliseconds), revising: [])
                            let rule = try transaction.rule(for: published.signature.id)
                            _ = try transaction.add(published, of: nil, rule: rule, state: .proven, reason: nil)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        var (position, seen) = (FeedPosition.start, Set<String>())
        try await eventually("all are seen") {
            for entry in try await reader.feedPage(after: position, limit: 7).entries {
                guard case .update(let update) = entry.change else { continue }
                #expect(entry.position.sequence > position.sequence)
                position = entry.position
                seen.insert(update.signature.id)
            }
            return seen.count == 60
        }
        try await publishing.value
    }

    @Test func `the database of another center is refused`() async throws {
        let store = try open()
        try await store.claim(as: "local-center 01")
        try await open("two").claim(as: "local-center 01")
        let error = await #expect(throws: EpitopeError.self) { try await store.claim(as: "local-center 02") }
        #expect(error?.code == .storeOfAnotherCenter)
    }

    @Test func `others hear of reports and decisions`() async throws {
        let (one, two) = (try open("one"), try open("two"))
        let heard = Mutex<Set<StoreTopic>>([])
        two.listen { topics in heard.withLock { $0.formUnion(topics) } }
        // A new connection has it look at everything.
        try await eventually("it listens") { heard.withLock { $0.count == StoreTopic.allCases.count } }
        heard.withLock { $0 = [] }
        _ = try await one.add(report(1))
        try await eventually("it hears of the report") { heard.withLock { $0.contains(.reports) } }
        try await one.revoke(Fixture.host, nowMilliseconds: 1)
        try await eventually("it hears of the decision") { heard.withLock { $0.contains(.decisions) } }
        #expect(heard.withLock { !$0.contains(.work) })
    }

    @Test func `a standby that is missing is seen`() async throws {
        let server = try PostgresServer()
        let store = try open(database: server.connection(to: "postgres"))
        #expect(try await store.sample().synchronousStandbys == nil)
        try server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", in: "postgres")
        try server.run("SELECT pg_reload_conf()", in: "postgres")
        try await eventually("the setting") { try await store.sample().synchronousStandbys == 0 }
    }

    @Test func `a store that is full of reports takes no more, and what is removed makes room`() async throws {
        let room = StoreRoom(ReportRoom(maxBytes: 1 << 20), path: "/nowhere")
        let store = try open()
        func used() async throws -> Int64 { try await store.snapshot { try StoreRoom(ReportRoom(), path: "").usedBytes($0.db) } }
        for number in 0..<200 { _ = try await store.add(report(UInt8(number), number: number)) }
        try await eventually("the server's statistics have it") { try await used() > 100_000 }
        #expect(throws: Never.self) { try run("SELECT 1") }
        _ = try run("DELETE FROM waiting_reports; DELETE FROM reports; DELETE FROM bodies; DELETE FROM events")
        try await eventually("and that it is gone") { try await used() < 50_000 }
        try await store.snapshot { try room.require(in: $0.db) }
    }

    @Test func `a second machine becomes a center of the site by a backup of the first's identity`() async throws {
        let (state, other) = (folder.path + "/one", folder.path + "/elsewhere/two")
        let authority = try CertificateAuthority.create(
            in: state + "/authority", keyIn: state + ".key", site: "site", serverNames: ["127.0.0.1"])
        let store = try open("one")
        try Data("{\"postgresql\": \"\(database)\"}".utf8).write(to: URL(filePath: state + "/store.json"))
        _ = try await store.add(report(1))
        let path = folder.path + "/identity.backup"
        let manifest = try await BackupWriter(
            kind: "local-center", folders: CenterFolders(ofState: state), authorities: CenterAuthorities(authority.certificate),
            isWithKey: true
        ).write(store, to: path) { _, _, _ in }
        #expect(!manifest.hasStore && manifest.version == 2 && manifest.store.reports == 1)
        #expect(manifest.parts.map(\.name) == ["authority.pem", "store.json", "server.pem", "authority-key.pem"])
        let outcome = try await BackupRestorer(BackupFile(path: path), to: CenterFolders(newState: other)).restore(
            as: "local-center", revocations: [], by: "test"
        ) { _, _, _ in }
        #expect(outcome.key == .restored)
        #expect(try CertificateAuthority.load(from: other + ".key").fingerprint == authority.fingerprint)
        #expect(try String(contentsOf: URL(filePath: other + "/store.json"), encoding: .utf8).contains(database))
        #expect(!FileManager.default.fileExists(atPath: other + "/center.sqlite"))
    }
}
