// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import Foundation
import Logging
import Scheduling
import Signatures
import TestSupport
import Testing

@testable import CenterStore
@testable import NotificationDelivery
@testable import Notifications

/// Events of a store on their way to receivers that are well, away, slow, or hang.
@Suite(.serialized) struct DeliveryTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try CenterStore(path: "\(folder.path)/center.sqlite")
    }

    /// A notifier that works.
    private final class Running {
        let configuration: NotificationWorker.Configuration
        private let task: Task<Void, Never>

        init(_ store: CenterStore, _ yaml: String, maximum: Duration = .milliseconds(200)) throws {
            let read = try notificationSettings(yaml)
            #expect(read.problems.isEmpty, "\(read.problems)")
            configuration = NotificationWorker.Configuration(read.settings)
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let worker = NotificationWorker(
                store: store, configuration: configuration, sender: Sample.sender,
                backoff: Backoff(initial: .milliseconds(20), maximum: maximum), logger: logger)
            task = Task { await worker.run() }
        }

        func stop() async {
            task.cancel()
            await task.value
        }
    }

    private func record(_ step: CenterEvent.Step, _ subject: String, _ detail: String = "because") async throws {
        try await store.transaction { try $0.record(step, subject, detail) }
    }

    /// The first look of a notifier: what was before is not told.
    private func begin(_ yaml: String, maximum: Duration = .milliseconds(200)) async throws -> Running {
        let running = try Running(store, yaml, maximum: maximum)
        try await eventually("the first look") { try await store.snapshot { try $0.mark(named: StoreTransaction.noticeCursor) } != nil }
        return running
    }

    private func status(_ name: String) async throws -> NoticeStatus { try await store.noticeStatus()[name] ?? NoticeStatus(name: name) }

    private func webhook(_ name: String, _ receivers: Receivers, _ path: String, _ more: String = "") -> String {
        """
          \(name):
            kind: webhook
            url: \(receivers.url(path))
            secretFile: \(receivers.folder.path)/secret
        \(more)
        """
    }

    private func subjects(_ messages: [Receivers.Message]) -> [String] {
        messages.map { message in
            let body = (try? JSONSerialization.jsonObject(with: Data(message.body))) as? [String: Any]
            return (body?["data"] as? [String: Any])?["subject"] as? String ?? "?"
        }
    }

    @Test func `what happens is told in its order, once, and what was before is not`() async throws {
        let receivers = try await Receivers.shared.value
        try await record(.revoked, "before")
        let running = try await begin(
            "destinations:\n\(webhook("soc", receivers, "webhook/order"))\nrules:\n  all: {to: [soc]}\n  again: {events: [identity], to: [soc]}"
        )
        for number in 1...5 { try await record(.revoked, "host-\(number)") }
        // Each packet's steps are told only where a rule asks for them.
        try await record(.clustered, "packet")
        try await record(.tokenMade, "host-6")
        try await eventually("six messages") { receivers.messages("webhook/order").count == 6 }
        let got = receivers.messages("webhook/order")
        #expect(subjects(got) == (1...6).map { "host-\($0)" })
        #expect(Set(got.map(\.id)).count == 6)
        #expect(got.allSatisfy { $0.status == 200 }, "\(got.map(\.fields))")
        try await eventually("none waits") { try await status("soc").waiting == 0 }
        #expect(try await status("soc").told == 6)
        #expect(store.counters.notices.values.contains { $0 == ["soc", "told"] && $1 == 6 })
        await running.stop()
    }

    @Test func `a receiver that is away is told everything once it is there, by the same ids`() async throws {
        let port = try LoopbackSocket.freePort()
        let own = try TemporaryFolder()
        try await Receivers.prepare(own.path)
        let yaml = """
            destinations:
              soc: {kind: webhook, url: "http://127.0.0.1:\(port)/webhook/late", secretFile: \(own.path)/secret}
            rules:
              all: {to: [soc]}
            """
        let running = try await begin(yaml)
        for number in 1...3 { try await record(.revoked, "host-\(number)") }
        try await eventually("a failure") { try await status("soc").failures >= 2 }
        let failed = try await status("soc")
        #expect(failed.lastFailureCode == "destination-unreachable" && failed.waiting == 3 && failed.lastSuccessMilliseconds == nil)
        // The center starts anew meanwhile.
        await running.stop()
        let ids = try await store.noticesDue(for: "soc", limit: 10).notices.map(\.notice.id)
        let again = try Running(store, yaml)
        let receivers = try await Receivers(httpPort: port, folder: own)
        try await eventually("three messages") { receivers.messages("webhook/late").count == 3 }
        #expect(receivers.messages("webhook/late").map(\.id) == ids)
        #expect(subjects(receivers.messages("webhook/late")) == ["host-1", "host-2", "host-3"])
        await again.stop()
    }

    @Test func `what was cut short is told again by the same id`() async throws {
        let receivers = try await Receivers.shared.value
        let running = try await begin("destinations:\n\(webhook("soc", receivers, "hang/cut"))\nrules:\n  all: {to: [soc]}")
        try await record(.revoked, "host-1")
        // The receiver has it, and doesn't say so.
        try await eventually("the message") { receivers.messages("hang/cut").count == 1 }
        await running.stop()
        let again = try Running(store, "destinations:\n\(webhook("soc", receivers, "webhook/cut"))\nrules:\n  all: {to: [soc]}")
        try await eventually("it again") { receivers.messages("webhook/cut").count == 1 }
        #expect(receivers.messages("webhook/cut").map(\.id) == receivers.messages("hang/cut").map(\.id))
        await again.stop()
    }

    @Test func `one that fails for a while gets each message until it takes it`() async throws {
        let receivers = try await Receivers.shared.value
        let running = try await begin("destinations:\n\(webhook("soc", receivers, "flaky/x"))\nrules:\n  all: {to: [soc]}")
        try await record(.revoked, "host-1")
        try await record(.revoked, "host-2")
        try await eventually("both") { try await status("soc").told == 2 }
        let got = receivers.messages("flaky/x")
        #expect(got.map(\.status) == [503, 503, 204, 204])
        #expect(Set(got.prefix(3).map(\.id)).count == 1 && got[3].id != got[2].id)
        #expect(try await status("soc").lastFailureCode == "destination-refused")
        await running.stop()
    }

    @Test func `one that hangs keeps neither the store nor the others waiting`() async throws {
        let receivers = try await Receivers.shared.value
        let silent = try LoopbackSocket()
        let running = try await begin(
            """
            destinations:
            \(webhook("hanging", receivers, "hang/others"))
              silent: {kind: syslog, transport: tcp, address: "127.0.0.1:\(silent.port)"}
            \(webhook("slow", receivers, "slow/others"))
            \(webhook("well", receivers, "webhook/others"))
            rules:
              all: {to: [hanging, silent, slow, well]}
            """)
        let begun = ContinuousClock.now
        for number in 1...20 { try await record(.revoked, "host-\(number)") }
        // The ones that hang take ten seconds for each attempt.
        #expect(ContinuousClock.now - begun < .seconds(30))
        try await eventually("twenty messages") { receivers.messages("webhook/others").count == 20 }
        try await eventually("some of the slow one") { receivers.messages("slow/others").count >= 2 }
        #expect(receivers.messages("hang/others").count == 1)
        // An end comes soon all the same.
        let ending = ContinuousClock.now
        await running.stop()
        #expect(ContinuousClock.now - ending < .seconds(9))
    }

    @Test func `a message that is refused for good keeps no other back`() async throws {
        let receivers = try await Receivers.shared.value
        let running = try await begin(
            """
            destinations:
              logs: {kind: otlp, url: \(receivers.url("picky/logs"))}
            rules:
              all: {to: [logs]}
            """)
        for name in ["host-1", "unwanted", "host-2"] { try await record(.revoked, name) }
        try await eventually("the others") { try await status("logs").told == 2 }
        #expect(try await status("logs").refused == 1)
        #expect(try await status("logs").lastFailureCode == "notice-refused")
        #expect(store.counters.lost.value(.noticesDropped) == 1)
        await running.stop()
    }

    @Test func `settings that change while it works hold at once, and what no destination waits for is gone`() async throws {
        let receivers = try await Receivers.shared.value
        let own = try TemporaryFolder()
        let running = try await begin(
            "destinations:\n  gone: {kind: syslog, transport: tcp, address: \"127.0.0.1:\(try LoopbackSocket.freePort())\"}\nrules:\n  all: {to: [gone]}"
        )
        try await record(.revoked, "host-1")
        try await eventually("it waits") { try await status("gone").waiting == 1 }
        running.configuration.follow(
            try notificationSettings("destinations:\n\(webhook("new", receivers, "webhook/new"))\nrules:\n  all: {to: [new]}").settings)
        try await eventually("the old one is gone") { try await store.noticeStatus()["gone"] == nil }
        try await record(.revoked, "host-2")
        try await eventually("the new one") { receivers.messages("webhook/new").count == 1 }
        #expect(subjects(receivers.messages("webhook/new")) == ["host-2"])
        // Without any destination nothing is remembered.
        running.configuration.follow(NotificationSettings())
        try await eventually("no mark") { try await store.snapshot { try $0.mark(named: StoreTransaction.noticeCursor) } == nil }
        withExtendedLifetime(own) {}
        await running.stop()
    }

    @Test func `a file whose disk is full is written once it has room`() async throws {
        let path = "\(folder.path)/events.json"
        symlink("/dev/full", path)
        let running = try await begin("destinations:\n  log: {kind: file, path: \(path)}\nrules:\n  all: {to: [log]}")
        try await record(.revoked, "host-1")
        try await eventually("a failure") { try await status("log").lastFailureCode == "notice-file-failed" }
        try FileManager.default.removeItem(atPath: path)
        try await eventually("the line") { ((try? folder.read("events.json")) ?? "").contains("host-1") }
        try await eventually("it is noted") { try await status("log").told == 1 }
        await running.stop()
    }
}
