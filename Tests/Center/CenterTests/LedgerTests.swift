// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
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
}
