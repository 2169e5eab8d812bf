// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMetrics
import EpitopeModel
import Foundation
import LocalCenter
import Logging
import NotificationDelivery
import Notifications
import SettingsFiles
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// What a center tells by itself of what happens in it.
@Suite struct NoticeCenterTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()

    init() throws { folder = try TemporaryFolder() }

    private func notifications(_ change: (inout NotificationRuleSettings) -> Void = { _ in }) -> NotificationSettings {
        var destination = DestinationSettings()
        (destination.kind, destination.format, destination.path) = (.file, .json, "\(folder.path)/events.json")
        var rule = NotificationRuleSettings()
        rule.to = ["log"]
        change(&rule)
        var settings = NotificationSettings()
        settings.destinations = SettingsTable(["log": destination])
        settings.rules = SettingsTable(["all": rule])
        return settings
    }

    /// What the file has: `data` of each line.
    private func told() -> [[String: Any]] {
        ((try? folder.read("events.json")) ?? "").split(separator: "\n").compactMap { line in
            ((try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any])?["data"] as? [String: Any]
        }
    }

    private func awaitCursor(_ store: CenterStore) async throws {
        try await eventually("the first look") {
            try await store.snapshot { try $0.mark(named: StoreTransaction.noticeCursor) } != nil
        }
    }

    @Test func `an attack whose rule is live is told with its grade, rule, host and address`() async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: FakeIDS()) {
            $0.notifications = notifications { $0.events = ["proven", "delivered"] }
        }
        try await awaitCursor(center.store)
        try await center.receive(Fixture.packet(attack: 1), source: "192.0.2.7")
        try await center.awaitDeliveries(["ids delivered": 1])
        try await eventually("both events") { told().count == 2 }
        await center.kill()
        let (events, signature) = (told(), Fixture.signature(attack: 1).id)
        #expect(events.map { $0["event"] as? String } == ["proven", "delivered"])
        for event in events {
            #expect(event["hosts"] as? [String] == ["host-1"])
            #expect(event["addresses"] as? [String] == ["192.0.2.7"])
            #expect(event["grade"] as? String == "reported")
            #expect(event["severity"] as? String == "medium")
            #expect((event["subject"] as? String)?.count == signature.count)
        }
        #expect(events.last?["sid"] as? Int != nil)
    }

    @Test func `an attack in another network, or of too little evidence, is not told`() async throws {
        for (name, change) in [
            ("network", { (rule: inout NotificationRuleSettings) in rule.networks = ["198.51.100.0/24"] }),
            ("grade", { $0.minGrade = .corroborated }), ("severity", { $0.minSeverity = .high }),
        ] as [(String, (inout NotificationRuleSettings) -> Void)] {
            let own = try TemporaryFolder()
            let center = try RunningCenter(folder: own, clock: clock, ids: FakeIDS()) { $0.notifications = notifications(change) }
            try await awaitCursor(center.store)
            try await center.receive(Fixture.packet(attack: 1), source: "192.0.2.7")
            try await center.awaitDeliveries(["ids delivered": 1])
            try await eventually("a look at it") {
                try await center.store.snapshot { transaction in
                    let last = try Int64.fetchOne(transaction.db, sql: "SELECT max(seq) FROM events WHERE step = 'delivered'") ?? .max
                    return try transaction.mark(named: StoreTransaction.noticeCursor).flatMap { Int64($0) } ?? 0 >= last - 1
                }
            }
            await center.kill()
            #expect(told().isEmpty, "\(name)")
        }
    }

    @Test func `of two centers over one database one tells, and the other goes on where it ends`() async throws {
        let database = try PostgresServer.shared.get().makeDatabase()
        func open(_ name: String) throws -> CenterStore {
            try CenterStore(postgresql: database, path: "\(try folder.makeFolder(name))/center.sqlite", clock: clock.clock)
        }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var configuration = LocalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        configuration.notifications = notifications()
        let stores = [try open("one"), try open("two")]
        let services = stores.map { LocalCenterService(configuration: configuration, store: $0, installer: nil, link: nil, logger: logger) }
        let tasks = services.map { service in Task { try await service.run() } }
        try await awaitCursor(stores[0])
        // As a command beside them records it.
        let command = try open("command")
        for number in 1...10 { try await command.transaction { try $0.record(.revoked, "host-\(number)", "because") } }
        try await eventually("ten lines") { told().count >= 10 }
        // One that ends before it has noted what it told is followed by one that tells it again, by the same ids.
        try await eventually("none waits") { try await command.noticeStatus()["log"]?.waiting == 0 }
        let first = try #require(stores.firstIndex { $0.counters.holdsWork.value == 1 })
        tasks[first].cancel()
        _ = await tasks[first].result
        for number in 11...20 { try await command.transaction { try $0.record(.revoked, "host-\(number)", "because") } }
        try await eventually("twenty lines", seconds: 30) { told().count >= 20 }
        try await eventually("none waits") { try await command.noticeStatus()["log"]?.waiting == 0 }
        for task in tasks {
            task.cancel()
            _ = await task.result
        }
        #expect(told().map { $0["subject"] as? String } == (1...20).map { "host-\($0)" })
        #expect(Set(told().compactMap { $0["id"] as? String }).count == 20)
        for store in stores + [command] { try store.close() }
    }
}
