// SPDX-License-Identifier: Apache-2.0

import CenterServer
import EpitopeModel
import Logging
import PacketCoding
import Signatures
import Synchronization
import TestSupport
import Testing

@testable import LocalCenter

/// What a person is told of the link to the global center: once, with what a site can do, and at any time by `status`.
@Suite struct LinkMonitorTests {
    private static let revoked = EpitopeError(
        .revoked, "the certificate of local-center example was revoked", remedy: "enrol again with a new token")
    private static let away = EpitopeError(.centerUnreachable, "away", remedy: "check that it runs")

    private let lines = LogLines()

    private var logger: Logger {
        Logger(label: "test") { [lines] _ in lines }
    }

    @Test func `a failure that lasts is told once an hour, with how often it was repeated`() {
        let log = FailureLog(logger: logger)
        let start = ContinuousClock.now
        for second in 0..<3600 { log.failed(second % 2 == 0 ? "forwarding" : "subscription", Self.revoked, now: start + .seconds(second)) }
        #expect(lines.list.count == 1 && lines.list.first?.contains("[revoked]") == true, "\(lines.list)")
        log.failed("forwarding", Self.away, now: start + .seconds(3600))
        #expect(lines.list.count == 2, "another failure is news: \(lines.list)")
        log.failed("forwarding", Self.revoked, now: start + .seconds(3601))
        #expect(
            lines.list.count == 3 && lines.list.last?.contains("it failed so 3599 times since this was last said") == true, "\(lines.list)")
        log.works("forwarding")
        #expect(lines.list.count == 4 && lines.list.last?.contains("no more center-unreachable") == true, "\(lines.list)")
        log.failed("forwarding", Self.revoked, now: start + .seconds(3602))
        log.works("forwarding")
        #expect(lines.list.count == 4, "the subscription fails by it still: \(lines.list)")
        log.works("subscription")
        #expect(lines.list.last?.contains("no more revoked, which came 1 more times") == true, "\(lines.list)")
        log.failed("forwarding", Self.revoked, now: start + .seconds(3603))
        #expect(lines.list.count == 6, "after a success it is news: \(lines.list)")
    }

    @Test func `what a global center refuses a site says what a site can do`() {
        let advised = Self.revoked.advisingSite
        #expect(advised.code == .revoked && advised.message == Self.revoked.message)
        #expect(advised.remedy.hasPrefix("ask the global center's operator for the reason, then link this site again"), "\(advised)")
        for code in EpitopeError.Code.senderRefusals {
            let remedy = EpitopeError(code, "no", remedy: "enrol again (`epitope enroll`)").advisingSite.remedy
            #expect(remedy.contains("`epitope local-center link`") && !remedy.contains("enrol "), "\(code.rawValue): \(remedy)")
        }
        #expect(Self.away.advisingSite == Self.away)
    }

    @Test func `the link's status says when the global center answered, and since when and why it fails`() async throws {
        let time = Atomic<Int64>(1000)
        let saved = Mutex<[LinkStatus]>([])
        let monitor = LinkMonitor(
            LinkStatus(center: "https://g:1"), logger: logger, clock: { time.load(ordering: .relaxed) },
            save: { status in saved.withLock { $0.append(status) } })
        let global = FakeGlobalCenter()
        let link = WatchedLink(link: global, monitor: monitor)
        func forward() async throws(EpitopeError) {
            _ = try await link.forward(
                ForwardedPacket(packet: Fixture.packet(attack: 1), reporter: "host-1", signature: Fixture.signature(attack: 1)))
        }
        #expect(monitor.status?.answeredMilliseconds == nil)
        try await forward()
        #expect(monitor.status?.answeredMilliseconds == 1000 && monitor.status?.failures == [:])
        await global.become(.answers(Self.revoked))
        for now in [2000, 3000, 4000] as [Int64] {
            time.store(now, ordering: .relaxed)
            let error = await #expect(throws: EpitopeError.self) { try await forward() }
            #expect(error?.remedy.contains("`epitope local-center link`") == true)
        }
        let failure = try #require(monitor.status?.failures[.forwarding])
        #expect(failure.code == "revoked" && failure.attempts == 3)
        #expect(failure.sinceMilliseconds == 2000 && failure.latestMilliseconds == 4000)
        #expect(monitor.status?.answeredMilliseconds == 1000)
        #expect(saved.withLock { $0.count } == 3, "the beginning, the first answer and the first failure; what counts on is saved later")
        await global.become(.receives)
        try await forward()
        #expect(monitor.status?.failures == [:] && monitor.status?.answeredMilliseconds == 4000)
        #expect(saved.withLock { $0.last } == monitor.status)
    }

    @Test func `a site that was revoked is told so by one line, whatever of it goes over the link`() async throws {
        let folder = try TemporaryFolder()
        let monitor = LinkMonitor(LinkStatus(center: "https://g:1"), logger: logger)
        let center = try RunningCenter(folder: folder, ids: nil, global: FakeGlobalCenter(.answers(Self.revoked)), linkMonitor: monitor)
        try await center.receive(Fixture.packet(attack: 1))
        monitor.refused(Self.revoked)
        try await eventually("both have been tried, one of them again") {
            let failures = monitor.status?.failures ?? [:]
            return failures[.forwarding] != nil && failures[.subscription].map { $0.attempts > 1 } == true
        }
        await center.kill()
        #expect(lines.list.count == 1 && lines.list[0].contains("ask the global center's operator"), "\(lines.list)")
        #expect(center.service.health?.problems == [.forwarding: .revoked, .subscription: .revoked])
    }
}

extension LinkStatus {
    fileprivate init(center: String) {
        self.init(directory: "/x", center: center, issuedMilliseconds: 0)
    }
}

/// The lines of a log, from which level they are notices up.
final class LogLines: LogHandler {
    private let lines = Mutex<[String]>([])

    var list: [String] { lines.withLock { $0 } }

    var logLevel: Logger.Level {
        get { .notice }
        set {}
    }

    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) { lines.withLock { $0.append(event.message.description) } }
}
