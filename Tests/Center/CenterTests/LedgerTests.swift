// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
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
        store = try CenterStore(path: folder.path + "/center.sqlite")
    }

    private func refusal(_ secret: [UInt8], now: Int64) async -> EpitopeError.Code? {
        await #expect(throws: EpitopeError.self) {
            try await store.redeemToken(secretHash: secret, as: nil, nowMilliseconds: now)
        }?.code
    }

    @Test func `a token is good once`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        #expect(try await store.redeemToken(secretHash: secret, as: nil, nowMilliseconds: 999) == grant)
        #expect(await refusal(secret, now: 999) == .tokenUsed)
    }

    @Test func `a token redeemed many times at once is granted once`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        let granted = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask { (try? await store.redeemToken(secretHash: secret, as: nil, nowMilliseconds: 1)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(granted == 1)
    }

    @Test func `a token for another role is refused, and stays good`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        let error = await #expect(throws: EpitopeError.self) {
            try await store.redeemToken(secretHash: secret, as: .localCenter, nowMilliseconds: 1)
        }
        #expect(error?.code == .tokenOfAnotherRole)
        #expect(error?.message.contains("is for host host-1, and was to enrol a local-center; it can still be used") == true)
        #expect(try await store.redeemToken(secretHash: secret, as: .host, nowMilliseconds: 1) == grant)
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

    @Test func `a certificate that is renewed is still good, and one that is issued while a revocation waits is revoked`() async throws {
        #expect(try await store.noteRenewal(of: Fixture.host, issuedMilliseconds: 5))
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        #expect(try await !store.noteRenewal(of: Fixture.host, issuedMilliseconds: 10))
        #expect(try await store.noteRenewal(of: Fixture.host, issuedMilliseconds: 11))
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

    @Test func `a revocation by another program is known at the next request`() async throws {
        #expect(try await !store.isRevoked(Fixture.host, issuedMilliseconds: 5))
        let other = try CenterStore(path: folder.path + "/center.sqlite")
        for (time, host) in [(10, Fixture.host), (20, Fixture.host), (30, Fixture.site)] as [(Int64, Identity)] {
            #expect(try await !store.isRevoked(host, issuedMilliseconds: time))
            try await other.revoke(host, nowMilliseconds: time)
            #expect(try await store.isRevoked(host, issuedMilliseconds: time))
        }
    }

    @Test func `requests between revocations read nothing`() async throws {
        let known = KnownRevocations(store: folder.path + "/other.sqlite")
        let reads = Mutex(0)
        func time(of identity: Identity) async throws -> Int64? {
            try await known.time(of: identity) { () async throws(EpitopeError) in
                let count = reads.withLock { reads in
                    reads += 1
                    return reads
                }
                return count == 1 ? [:] : [Fixture.host: 7]
            }
        }
        for _ in 0..<100 { #expect(try await time(of: Fixture.host) == nil) }
        #expect(reads.withLock { $0 } == 1)
        known.ring()
        for _ in 0..<100 { #expect(try await time(of: Fixture.host) == 7) }
        #expect(try await time(of: Fixture.site) == nil)
        #expect(reads.withLock { $0 } == 2)
        for _ in 0..<3 {
            known.ring()
            _ = try await time(of: Fixture.host)
        }
        #expect(reads.withLock { $0 } == 5)
    }

    @Test func `a store that can't be read lets nobody in that isn't known`() async throws {
        let known = KnownRevocations(store: folder.path + "/other.sqlite")
        await #expect(throws: EpitopeError.self) {
            _ = try await known.time(of: Fixture.host) { () async throws(EpitopeError) in
                throw EpitopeError(.storeFailed, "test", remedy: "test")
            }
        }
    }

    @Test func `a revocation takes the tokens with it that nobody has redeemed, and the events say who came and went`() async throws {
        try await store.addToken(secretHash: secret, grant: grant)
        _ = try await store.redeemToken(secretHash: secret, as: nil, nowMilliseconds: 1)
        try await store.addToken(secretHash: [7], grant: grant)
        #expect(try await store.hasEnrolled(Fixture.host))
        #expect(try await !store.hasEnrolled(Fixture.site))
        #expect(try await store.isEnrolled(Fixture.host), "another token would make a second one")
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        #expect(try await !store.isEnrolled(Fixture.host))
        #expect(await refusal([7], now: 20) == .tokenUnknown)
        #expect(await refusal(secret, now: 20) == .tokenUsed)
        let events = try await store.events()
        #expect(events.map(\.step) == [.tokenMade, .enrolled, .tokenMade, .revoked])
        #expect(events.allSatisfy { $0.subject == "host-1" })
        #expect(events.last?.detail == "certificates of the host, and tokens not redeemed: 1")
    }

    @Test func `whom the center knows is listed, with how they stand`() async throws {
        let clock = TestClock()
        let now = clock.clock.nowMilliseconds
        let store = try CenterStore(path: folder.path + "/peers.sqlite", clock: clock.clock)
        func token(_ number: UInt8, _ identity: Identity, until: Int64) async throws {
            try await store.addToken(secretHash: [number], grant: EnrolmentGrant(identity: identity, expiresMilliseconds: until))
        }
        func enrol(_ number: UInt8, _ identity: Identity, at time: Int64) async throws {
            try await token(number, identity, until: .max)
            _ = try await store.redeemToken(secretHash: [number], as: nil, nowMilliseconds: time)
        }
        let hosts = ["away", "back", "late", "next", "web"].map { Identity(role: .host, name: $0) }
        try await enrol(1, hosts[0], at: now - 20)
        try await store.revoke(hosts[0], nowMilliseconds: now - 10)
        try await store.revoke(hosts[1], nowMilliseconds: now - 20)
        try await enrol(2, hosts[1], at: now - 10)
        try await token(3, hosts[2], until: now)
        try await token(4, hosts[3], until: now + 1)
        try await enrol(5, hosts[4], at: now - 30)
        #expect(try await store.noteRenewal(of: hosts[4], issuedMilliseconds: 1))
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
