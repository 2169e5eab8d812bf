// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import PacketCoding
import Scheduling
import SecureChannel
import Synchronization
import TestSupport
import Testing

@testable import CenterStore

@Suite("Enrolment is remembered")
struct LedgerTests {
    private let folder: TemporaryFolder
    private let store: CenterStore
    private let secret: [UInt8] = Array(0..<32)
    private let grant = EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: 1000)

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite")
    }

    private func refusal(_ secret: [UInt8], now: Int64) async -> EpitopeError.Code? {
        await #expect(throws: EpitopeError.self) {
            try await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: now, nowMilliseconds: now)
        }?.code
    }

    @Test func `a token is good once`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        #expect(
            try await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: 999, nowMilliseconds: 999)
                == grant)
        #expect(await refusal(secret, now: 999) == .tokenUsed)
    }

    @Test func `a token redeemed many times at once is granted once`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        let granted = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    (try? await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: 1, nowMilliseconds: 1))
                        != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(granted == 1)
    }

    @Test func `a token for another role is refused, and stays good`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        let error = await #expect(throws: EpitopeError.self) {
            try await store.redeemToken(
                secretHash: secret, by: EnrolmentApplicant(role: .localCenter), issuedMilliseconds: 1, nowMilliseconds: 1)
        }
        #expect(error?.code == .tokenOfAnotherRole)
        #expect(error?.message.contains("is for host host-1, and was to enrol a local-center; it can still be used") == true)
        #expect(
            try await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(role: .host), issuedMilliseconds: 1, nowMilliseconds: 1)
                == grant)
    }

    @Test func `an expired or unknown token is refused`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        #expect(await refusal(secret, now: 1000) == .tokenExpired)
        #expect(await refusal([1, 2, 3], now: 1) == .tokenUnknown)
    }

    @Test func `certificates from before a revocation are rejected`() async throws {
        #expect(try await !store.isRevoked(Fixture.host, issuedMilliseconds: 5))
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        #expect(try await store.isRevoked(Fixture.host, issuedMilliseconds: 10))
        #expect(try await !store.isRevoked(Fixture.host, issuedMilliseconds: 11))
        #expect(try await !store.isRevoked(Identity(role: .localCenter, name: "host-1"), issuedMilliseconds: 5))
        try await store.revoke(Fixture.host, nowMilliseconds: 3)
        #expect(try await store.isRevoked(Fixture.host, issuedMilliseconds: 10), "an earlier date takes nothing back")
    }

    /// As where the machine's battery is empty, and its clock a year ahead until somebody sets it.
    @Test func `a revocation covers what was issued while the clock was ahead, and nothing that is issued afterwards`() async throws {
        let (now, ahead) = (Int64(1_000_000), Int64(32_000_000_000))
        try await store.addToken(secretHash: secret, grant: EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: .max))
        _ = try await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: ahead, nowMilliseconds: ahead)
        #expect(try await store.noteRenewal(of: Fixture.host, from: ahead, to: ahead + 5))
        #expect(try await store.noteRenewal(of: Fixture.host, from: ahead, to: now), "an old one does not hide a newer one")

        try await store.revoke(Fixture.host, nowMilliseconds: now)
        for issued in [now, ahead, ahead + 5] { #expect(try await store.isRevoked(Fixture.host, issuedMilliseconds: issued)) }
        #expect(try await store.revokedUntil(Fixture.host) == ahead + 5)
        #expect(try await !store.isEnrolled(Fixture.host))
        #expect(try await store.enrolledPeers().map(\.state) == [.revoked])
        #expect(try await store.enrolledPeers().map(\.revokedMilliseconds) == [now], "when it was, by the clock of then")

        try await store.addToken(secretHash: [7], grant: EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: .max))
        _ = try await store.redeemToken(secretHash: [7], by: EnrolmentApplicant(), issuedMilliseconds: ahead + 6, nowMilliseconds: now + 10)
        #expect(try await !store.isRevoked(Fixture.host, issuedMilliseconds: ahead + 6))
        #expect(try await store.isEnrolled(Fixture.host))
        #expect(try await store.enrolledPeers().map(\.state) == [.enrolled])

        try await store.revoke(Fixture.host, nowMilliseconds: now + 20)
        #expect(try await store.isRevoked(Fixture.host, issuedMilliseconds: ahead + 6))
    }

    @Test func `a certificate that is renewed is still good, and one that is issued while a revocation waits is revoked`() async throws {
        #expect(try await store.noteRenewal(of: Fixture.host, from: 5, to: 5))
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        #expect(try await !store.noteRenewal(of: Fixture.host, from: 10, to: 10))
        #expect(try await store.noteRenewal(of: Fixture.host, from: 11, to: 11))
        #expect(try await store.events().map(\.step) == [.renewed, .revoked, .renewed])

        // The time of a revocation is read in its transaction, which waits for others.
        let time = Atomic<Int64>(20)
        let store = store
        let (begun, end) = (WakeUpSignal(), WakeUpSignal())
        let writing = Task {
            try await store.transaction { _ in
                begun.send()
                while end.count == 0 { usleep(1000) }
            }
        }
        await begun.wait(after: 0, atMost: .seconds(60))
        let revoking = Task { try await store.revoke(Fixture.host, nowMilliseconds: time.load(ordering: .relaxed)) }
        for _ in 0..<100 { await Task.yield() }
        time.store(30, ordering: .relaxed)
        end.send()
        try await writing.value
        try await revoking.value
        #expect(try await store.isRevoked(Fixture.host, issuedMilliseconds: 30))
    }

    @Test func `what waits for its transaction when its sender is revoked is not stored, and what others sent is`() async throws {
        let state = try await store.knownRevocations.state()
        func waiting(_ attack: UInt8, of sender: Identity, issuedMilliseconds: Int64) throws -> ArrivingReport {
            let peer = PeerCertificate(sender, issuedMilliseconds: issuedMilliseconds)
            let packet = try ReceivedPacket(Fixture.packet(attack: attack, host: sender.name))
            var arriving = try ArrivingReport(Report(sender: peer, body: .packet(packet)))
            arriving.certificate = .init(issuedMilliseconds: issuedMilliseconds, asOf: state)
            return arriving
        }
        let other = Identity(role: .host, name: "host-2")
        let before = try waiting(1, of: Fixture.host, issuedMilliseconds: 5)
        let (renewed, others) = (
            try waiting(2, of: Fixture.host, issuedMilliseconds: 11), try waiting(3, of: other, issuedMilliseconds: 5)
        )
        // By another program, as the command is.
        try await TestStore.open(path: folder.path + "/center.sqlite").revoke(Fixture.host, nowMilliseconds: 10)
        let error = await #expect(throws: EpitopeError.self) { try await store.groupCommit.store(before) }
        #expect(error?.code == .revoked)
        for report in [renewed, others] { #expect(try await !store.groupCommit.store(report).wasKnown) }
        #expect(try await store.snapshot { try $0.waitingReports(limit: 10) }.map(\.id) == [renewed.id, others.id])

        let late = Report(
            sender: PeerCertificate(Fixture.host, issuedMilliseconds: 10),
            body: .packet(try ReceivedPacket(Fixture.packet(attack: 4))))
        let refusal = await #expect(throws: EpitopeError.self) { try await store.add(late) }
        #expect(refusal?.code == .revoked)
    }

    @Test func `a revocation by another program is known at the next request`() async throws {
        #expect(try await !store.isRevoked(Fixture.host, issuedMilliseconds: 5))
        let other = try TestStore.open(path: folder.path + "/center.sqlite")
        for (time, host) in [(10, Fixture.host), (20, Fixture.host), (30, Fixture.site)] as [(Int64, Identity)] {
            #expect(try await !store.isRevoked(host, issuedMilliseconds: time))
            try await other.revoke(host, nowMilliseconds: time)
            #expect(try await store.isRevoked(host, issuedMilliseconds: time))
        }
    }

    @Test(.enabled(if: TestStore.isFile)) func `requests between revocations read nothing`() async throws {
        let known = KnownRevocations(store.database, path: folder.path + "/other.sqlite")
        let reads = Mutex(0)
        func time(of identity: Identity) async throws -> Int64? {
            try await known.time(of: identity) { () async throws(EpitopeError) in
                let count = reads.withLock { reads in
                    reads += 1
                    return reads
                }
                return count == 1 ? [:] : [Fixture.host: 7]
            }.time
        }
        for _ in 0..<100 { #expect(try await time(of: Fixture.host) == nil) }
        #expect(reads.withLock { $0 } == 1)
        let list = RevocationList(beside: folder.path + "/other.sqlite")
        func ring() throws {
            try list.append([Revocation(role: .host, name: "host-1", timeMilliseconds: 7, issuedUntilMilliseconds: 7)])
        }
        try ring()
        for _ in 0..<100 { #expect(try await time(of: Fixture.host) == 7) }
        #expect(try await time(of: Fixture.site) == nil)
        #expect(reads.withLock { $0 } == 2)
        for _ in 0..<3 {
            try ring()
            _ = try await time(of: Fixture.host)
        }
        #expect(reads.withLock { $0 } == 5)
    }

    @Test func `a store that can't be read lets nobody in that isn't known`() async throws {
        let known = KnownRevocations(store.database, path: folder.path + "/other.sqlite")
        await #expect(throws: EpitopeError.self) {
            _ = try await known.time(of: Fixture.host) { () async throws(EpitopeError) in
                throw EpitopeError(.storeFailed, "test", remedy: "test")
            }
        }
    }

    @Test func `a revocation takes the tokens with it that nobody has redeemed, and the events say who came and went`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        _ = try await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: 1, nowMilliseconds: 1)
        try await store.addToken(secretHash: [7], grant: grant)
        #expect(try await store.hasEnrolled(Fixture.host))
        #expect(try await !store.hasEnrolled(Fixture.site))
        #expect(try await store.isEnrolled(Fixture.host), "another token would make a second one")
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        #expect(try await !store.isEnrolled(Fixture.host))
        #expect(await refusal([7], now: 20) == .tokenRevoked, "it was issued here")
        try await store.revoke(Fixture.host, nowMilliseconds: 15)
        let told = await #expect(throws: EpitopeError.self) {
            try await store.grant(ofToken: [7], to: EnrolmentApplicant(), nowMilliseconds: 2000)
        }
        #expect(told?.code == .tokenRevoked, "also when its time is over")
        #expect(told?.message.contains("for host-1 was revoked at 1970-01-01T00:00:00Z") == true, "the first time counts: \(told as Any)")
        try await store.addToken(secretHash: [8], grant: grant)
        #expect(
            try await store.grant(ofToken: [8], to: EnrolmentApplicant(), nowMilliseconds: 20) == grant, "one that is made later is good")
        #expect(await refusal(secret, now: 20) == .tokenUsed)
        let events = try await store.events()
        #expect(events.map(\.step) == [.tokenMade, .enrolled, .tokenMade, .revoked, .revoked, .tokenMade])
        #expect(events.allSatisfy { $0.subject == "host-1" })
        #expect(events[3].detail == "certificates of the host, and tokens not redeemed: 1")
        #expect(events[4].detail == "certificates of the host", "that token was taken back before")
    }

    @Test func `where a peer was last seen is listed, also one that a lost store had enrolled, and two machines of one name are told of`()
        async throws
    {
        let clock = TestClock()
        let now = clock.clock.nowMilliseconds
        let store = try TestStore.open(path: folder.path + "/seen.sqlite", clock: clock.clock)
        func sighting(_ identity: Identity, _ address: String, other: String? = nil) -> PeerSighting {
            PeerSighting(
                identity: identity, seenMilliseconds: now - 5, address: address, certificateUntilMilliseconds: now + 9,
                note: SenderNote(version: "1.0.0", machine: "a", protection: "hooks", applications: "exec+send"), otherAddress: other)
        }
        try await store.addToken(secretHash: secret, grant: EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: .max))
        _ = try await store.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: now - 9, nowMilliseconds: now - 9)
        let lost = Identity(role: .host, name: "lost")
        try await store.note([sighting(Fixture.host, "10.0.0.1"), sighting(lost, "10.0.0.3")])
        try await store.note((0..<1200).map { sighting(Identity(role: .host, name: "many-\($0)"), "10.0.1.1") })
        try await store.note([sighting(Fixture.host, "10.0.0.2", other: "10.0.0.9")])
        try await store.note([sighting(Fixture.host, "10.0.0.2", other: "10.0.0.9")])
        let peers = try await store.enrolledPeers()
        #expect(peers.count == 1202)
        let (host, unknown) = try (#require(peers.first { $0.name == "host-1" }), #require(peers.first { $0.name == "lost" }))
        #expect(host.state == .enrolled && host.address == "10.0.0.2" && host.seenMilliseconds == now - 5)
        #expect(
            host.version == "1.0.0" && host.protection == "hooks" && host.applications == "exec+send"
                && host.certificateUntilMilliseconds == now + 9)
        #expect(unknown.state == .seen)
        let told = try await store.events().filter { $0.step == .identityShared }
        #expect(told.map(\.subject) == ["host-1"])
        #expect(told.first?.detail.contains("at 10.0.0.2 and at 10.0.0.9") == true)
        try await store.revoke(lost, nowMilliseconds: now)
        #expect(try await store.enrolledPeers().first { $0.name == "lost" }?.state == .revoked)
    }

    @Test func `whom the center knows is listed, with how they stand`() async throws {
        let clock = TestClock()
        let now = clock.clock.nowMilliseconds
        let store = try TestStore.open(path: folder.path + "/peers.sqlite", clock: clock.clock)
        func token(_ number: UInt8, _ identity: Identity, until: Int64) async throws {
            try await store.addToken(secretHash: [number], grant: EnrolmentGrant(identity: identity, expiresMilliseconds: until))
        }
        func enrol(_ number: UInt8, _ identity: Identity, at time: Int64) async throws {
            try await token(number, identity, until: .max)
            _ = try await store.redeemToken(secretHash: [number], by: EnrolmentApplicant(), issuedMilliseconds: time, nowMilliseconds: time)
        }
        let hosts = ["away", "back", "late", "next", "web"].map { Identity(role: .host, name: $0) }
        try await enrol(1, hosts[0], at: now - 20)
        try await store.revoke(hosts[0], nowMilliseconds: now - 10)
        try await store.revoke(hosts[1], nowMilliseconds: now - 20)
        try await enrol(2, hosts[1], at: now - 10)
        try await token(3, hosts[2], until: now)
        try await token(4, hosts[3], until: now + 1)
        try await enrol(5, hosts[4], at: now - 30)
        #expect(try await store.noteRenewal(of: hosts[4], from: 1, to: 1))
        try await enrol(6, Identity(role: .localCenter, name: "web"), at: now - 5)
        let peers = try await store.enrolledPeers()
        #expect(peers.map(\.name) == ["away", "back", "late", "next", "web", "web"])
        #expect(peers.map(\.state) == [.revoked, .enrolled, .lapsed, .invited, .enrolled, .enrolled])
        #expect(peers.map(\.enrolledMilliseconds) == [now - 20, now - 10, nil, nil, now - 30, now - 5])
        #expect(peers.map(\.revokedMilliseconds) == [now - 10, now - 20, nil, nil, nil, nil])
        #expect(peers.map(\.renewedMilliseconds) == [nil, nil, nil, nil, now, nil], "the site of that name renewed nothing")
        #expect(peers.map(\.tokenUntilMilliseconds) == [nil, nil, nil, now + 1, nil, nil])
        #expect(peers.last?.role == .localCenter)
    }
}
