// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import Synchronization
import TestSupport
import Testing

@testable import SecureChannel

/// The identity of a program that runs for years.
struct EnrolledClientTests {
    /// A host's folder at a center, and a client by it.
    private struct Host: Sendable {
        let center: TestCenter
        let directory: String
        let client: EnrolledClient
        let events: Events

        final class Events: Sendable {
            private let all = Mutex<[EnrolledClient.Event]>([])
            var list: [EnrolledClient.Event] { all.withLock { $0 } }
            func add(_ event: EnrolledClient.Event) { all.withLock { $0.append(event) } }
            var renewals: Int { list.count { if case .renewed = $0 { true } else { false } } }
            var failures: [EpitopeError.Code] { list.compactMap { if case .renewalFailed(let error, _) = $0 { error.code } else { nil } } }
        }

        init(_ center: TestCenter, enrolled: Bool = true) throws {
            self.center = center
            directory = "\(center.directory)/host"
            let events = Events()
            self.events = events
            if enrolled { try center.identity().save(in: directory) }
            client = EnrolledClient(directory: directory, clock: center.clock.now, spread: 0, onEvent: { events.add($0) })
        }

        func send() async throws { _ = try await client.send(EncodedPacket(Samples.packet())) }
        func refusal() async -> EpitopeError.Code? { await code { try await send() } }
        var stored: StoredIdentity { get throws { try StoredIdentity.load(from: directory) } }
    }

    private func withHost<Value: Sendable>(
        enrolled: Bool = true, _ body: @Sendable (Host) async throws -> Value
    ) async throws -> Value {
        try await TestCenter.run { center in
            let host = try Host(center, enrolled: enrolled)
            do {
                let value = try await body(host)
                await host.client.shutdown()
                return value
            } catch {
                await host.client.shutdown()
                throw error
            }
        }
    }

    @Test
    func `A certificate is renewed in time, stored, and used from then on`() async throws {
        try await withHost { host in
            let old = try host.stored
            try await host.send()
            #expect(host.events.list.isEmpty)
            host.center.clock.advance(days: 61)
            try await host.send()
            let new = try host.stored
            #expect(new.subject == old.subject && new.keyPEM != old.keyPEM && new.expiresMilliseconds > old.expiresMilliseconds)
            #expect(await host.client.identity?.certificatePEM == new.certificatePEM)
            #expect(host.events.list == [.renewed(untilMilliseconds: new.expiresMilliseconds)])
            host.center.clock.advance(days: 40)
            try await host.send()
        }
    }

    @Test(arguments: [(every: 1, sends: true), (every: 7, sends: false), (every: 25, sends: true), (every: 89, sends: true)])
    func `Over two years a host is never silent, whether it sends or only runs`(every: Int, sends: Bool) async throws {
        try await withHost { host in
            for _ in 0..<(730 / every) {
                host.center.clock.advance(days: Int64(every))
                if sends { try await host.send() } else { await host.client.lookAfter() }
            }
            try await host.send()
            #expect(host.events.renewals >= 8)
            #expect(host.events.failures.isEmpty)
            let outlook = try host.stored.outlook(nowMilliseconds: host.center.clock.now())
            #expect(outlook == .inForce)
        }
    }

    @Test
    func `A host that was off beyond its certificate's end renews it, and after the grace is heard once it enrols again`() async throws {
        try await withHost { host in
            host.center.clock.advance(days: 120)
            try await host.send()
            #expect(host.events.renewals == 1)
            host.center.clock.advance(days: 200)
            #expect(await host.refusal() == .certificateExpired)
            #expect(host.events.failures == [.certificateExpired])
            try host.center.identity().save(in: host.directory)
            try await host.send()
            #expect(await host.client.renewalFailure == nil)
        }
    }

    @Test
    func `A renewal that fails is told once a day, while packets are sent by the old certificate`() async throws {
        try await withHost { host in
            try await host.send()
            let good = try host.stored
            // A folder stands where the new identity is to be stored.
            let path = StoredIdentity.path(in: host.directory)
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path + "/x", withIntermediateDirectories: true)
            host.center.clock.advance(days: 61)
            for _ in 0..<5 { try await host.send() }
            #expect(host.events.failures == [.stateUnwritable])
            #expect(await host.client.renewalFailure?.code == .stateUnwritable)
            try FileManager.default.removeItem(atPath: path)
            try good.save(in: host.directory)
            try await host.send()
            host.center.clock.advance(days: 28)
            try await host.send()
            // The end comes before the next attempt: it makes one.
            host.center.clock.advance(days: 2)
            try await host.send()
            #expect(host.events.renewals == 1)
            #expect(await host.client.renewalFailure == nil)
        }
    }

    @Test
    func `A center that can't be reached for a renewal is told once`() async throws {
        let identity = try await TestCenter.run { try $0.identity() }
        try await withFolder { folder in
            try identity.save(in: folder)
            let events = Host.Events()
            let clock = TestClock()
            clock.advance(days: 61)
            let client = EnrolledClient(directory: folder, clock: clock.now, spread: 0, onEvent: { events.add($0) })
            for _ in 0..<3 {
                #expect(await code { try await client.send(EncodedPacket(Samples.packet())) } == .centerUnreachable)
                await client.lookAfter()
            }
            #expect(events.failures == [.centerUnreachable])
            #expect(events.list.count == 1)
            await client.shutdown()
        }
    }

    @Test
    func `A revoked host is told so, once a day, and goes on when it is enrolled again`() async throws {
        try await withHost { host in
            try await host.send()
            await host.center.ledger.revoke(try host.stored.subject, nowMilliseconds: host.center.clock.now())
            for _ in 0..<5 { await host.client.lookAfter() }
            let refusals = host.events.list.filter { if case .refused(let error) = $0 { error.code == .revoked } else { false } }
            #expect(refusals.count == 1)
            #expect(await host.refusal() == .revoked)
            host.center.clock.advance(by: .seconds(5))
            try host.center.identity().save(in: host.directory)
            try await host.send()
        }
    }

    @Test
    func `A host that enrols while it runs, or whose identity another program renewed, need not restart`() async throws {
        try await withHost(enrolled: false) { host in
            #expect(await host.refusal() == .destinationUnknown)
            try host.center.identity().save(in: host.directory)
            try await host.send()
            let other = EnrolledClient(directory: host.directory, clock: host.center.clock.now, spread: 0)
            host.center.clock.advance(days: 61)
            await other.lookAfter()
            await other.shutdown()
            try await host.send()
            #expect(host.events.renewals == 0)
            #expect(await host.client.identity?.certificatePEM == (try host.stored.certificatePEM))
            #expect(host.events.list.count { if case .adopted = $0 { true } else { false } } == 2)
        }
    }

    @Test
    func `Programs that share an identity renew it once`() async throws {
        try await withHost { host in
            let others = (0..<4).map { _ in EnrolledClient(directory: host.directory, clock: host.center.clock.now, spread: 0) }
            try await thenShutdown(others) {
                host.center.clock.advance(days: 61)
                await withTaskGroup(of: Void.self) { group in
                    for client in others + [host.client] { group.addTask { await client.lookAfter() } }
                }
                for client in others + [host.client] {
                    _ = try await client.send(EncodedPacket(Samples.packet()))
                    #expect(await client.identity?.certificatePEM == (try host.stored.certificatePEM))
                }
            }
        }
    }

    /// A client that is let go while it is open ends the program, and nobody would see what went wrong.
    private func thenShutdown(_ clients: [EnrolledClient], _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            for client in clients { await client.shutdown() }
            throw error
        }
        for client in clients { await client.shutdown() }
    }

    @Test(arguments: ["", "{", "{}", #"{"center":"https://127.0.0.1:1","key":"","certificate":"","authority":""}"#])
    func `A damaged identity leaves the one in use, and is told; a mended one is read`(text: String) async throws {
        try await withHost { host in
            try await host.send()
            let good = try host.stored
            try PrivateFiles.save(text, to: StoredIdentity.path(in: host.directory))
            try await host.send()
            #expect(await host.client.fault != nil)
            #expect(host.events.list.count { if case .unusable = $0 { true } else { false } } == 1)
            try good.save(in: host.directory)
            try await host.send()
            #expect(await host.client.fault == nil)
            // From the start on.
            try PrivateFiles.save(text, to: StoredIdentity.path(in: host.directory))
            let late = EnrolledClient(directory: host.directory, clock: host.center.clock.now)
            try await thenShutdown([late]) {
                await #expect(throws: EpitopeError.self) { _ = try await late.send(EncodedPacket(Samples.packet())) }
                try good.save(in: host.directory)
                _ = try await late.send(EncodedPacket(Samples.packet()))
            }
        }
    }

    @Test
    func `A host tells its center what it withheld`() async throws {
        try await withHost { host in
            try await host.client.report(WithheldCounts(day: 20_000, suppressed: 800, waiting: 3))
            #expect(await host.center.service.counts == [WithheldCounts(day: 20_000, suppressed: 800, waiting: 3)])
            #expect(await code { try await host.client.report(WithheldCounts(day: 1, lost: -1)) } == .requestMalformed)
            #expect(await code { try await host.client.report(WithheldCounts(day: 1, lost: .max)) } == .requestMalformed)
        }
    }

    @Test
    func `A center's certificate that is out of date says whose clock is wrong`() async throws {
        try await TestCenter.run { center in
            let authority = center.authority.certificatePEM
            let now = ChannelClock.system()
            let fine = await PresentedChain.clockError(of: center.address, authority, nowMilliseconds: now)
            #expect(fine == nil)
            let behind = await PresentedChain.clockError(of: center.address, authority, nowMilliseconds: now - 7_200_000)
            #expect(behind?.code == .centerOutOfDate)
            #expect(behind?.message.contains("this machine's clock is behind") == true)
            let ahead = await PresentedChain.clockError(
                of: center.address, authority, nowMilliseconds: now + Duration.days(91).inMilliseconds)
            #expect(ahead?.message.contains("this machine's clock is ahead") == true)
            let foreign = try await TestCenter.run { $0.authority.certificatePEM }
            #expect(await PresentedChain.clockError(of: center.address, foreign, nowMilliseconds: now - 7_200_000) == nil)
        }
    }
}

struct RenewalScheduleTests {
    private let day = Duration.days(1).inMilliseconds

    @Test func `Renewal is due after two thirds, and hosts spread theirs over a day`() {
        let first = RenewalSchedule(spread: 0).dueMilliseconds(beginsMilliseconds: 0, expiresMilliseconds: 90 * day)
        let last = RenewalSchedule(spread: 1).dueMilliseconds(beginsMilliseconds: 0, expiresMilliseconds: 90 * day)
        #expect(first == 60 * day && last == 61 * day)
        let short = RenewalSchedule(spread: 1).dueMilliseconds(beginsMilliseconds: 0, expiresMilliseconds: 60_000)
        #expect((40_000..<60_000).contains(short))
    }

    @Test func `Attempts that fail wait for a day at most, and for less when there is less left`() {
        let schedule = RenewalSchedule(spread: 0)
        #expect(schedule.delay(.days(1), expiresMilliseconds: 30 * day, nowMilliseconds: 0) == .days(1))
        #expect(schedule.delay(.days(1), expiresMilliseconds: day, nowMilliseconds: 0) == .milliseconds(day / 10))
        #expect(schedule.delay(.days(1), expiresMilliseconds: 0, nowMilliseconds: day) == .seconds(60))
    }

    @Test func `A person is warned two weeks before the end`() {
        func outlook(_ now: Int64) -> CertificateOutlook {
            CertificateOutlook(beginsMilliseconds: day, expiresMilliseconds: 91 * day, nowMilliseconds: now)
        }
        #expect(outlook(70 * day) == .inForce && outlook(70 * day).warning(of: "it") == nil)
        #expect(outlook(78 * day).warning(of: "the certificate")?.hasPrefix("the certificate ends in 13 days, at 1970-04-02T") == true)
        #expect(outlook(92 * day).warning(of: "it")?.contains("ended at") == true)
        #expect(outlook(0).warning(of: "it")?.contains("the clock is behind") == true)
    }

    @Test func `A failure that lasts is told once a day`() {
        var told = ToldFailures()
        let one = EpitopeError(.revoked, "", remedy: "")
        let other = EpitopeError(.centerUnreachable, "", remedy: "")
        // The last one: the clock was set back.
        let failures: [(EpitopeError, Int64)] = [(one, 0), (one, day - 1), (one, day), (other, day + 1), (other, 0)]
        let news = failures.map { error, now in told.isNews(.renewal, error, nowMilliseconds: now) }
        #expect(news == [true, false, true, true, true])
    }
}
