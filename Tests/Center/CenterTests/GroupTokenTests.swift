// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel
import TestSupport
import Testing

@testable import CenterStore

@Suite("A token for several hosts is rationed")
struct GroupTokenTests {
    private let folder: TemporaryFolder
    private let store: CenterStore
    private let secret: [UInt8] = Array(0..<32)
    private let now = ChannelClock.system()

    init() throws {
        folder = try TemporaryFolder()
        store = try CenterStore(path: folder.path + "/center.sqlite")
    }

    private func add(_ count: Int, _ names: String = "web-*", in network: String? = nil, hours: Int64 = 1) async throws {
        try await store.addToken(
            secretHash: secret,
            group: GroupGrant(
                maxHosts: count, names: try #require(HostNamePattern(names)), network: network.flatMap { IPNetwork($0) },
                expiresMilliseconds: now + hours * 3_600_000))
    }

    /// - Returns: why it is refused; `nil`: it is enrolled.
    private func enrol(_ name: String?, at address: String? = "192.0.2.7", role: Identity.Role? = .host) async -> EpitopeError.Code? {
        let applicant = EnrolmentApplicant(role: role, name: name, address: address.flatMap { IPAddress($0) })
        do {
            _ = try await store.grant(ofToken: secret, to: applicant, nowMilliseconds: now)
            let grant = try await store.redeemToken(secretHash: secret, by: applicant, issuedMilliseconds: now, nowMilliseconds: now)
            #expect(grant.identity == Identity(role: .host, name: name ?? ""))
            return nil
        } catch {
            return (error as? EpitopeError)?.code
        }
    }

    @Test func `it enrols as many as it says, each by a new name, and tells who`() async throws {
        try await add(2)
        #expect(await enrol("web-1") == nil)
        #expect(await enrol("web-1") == .nameTaken)
        #expect(await enrol("WEB-1") == .tokenOfAnotherName)
        #expect(await enrol("web-2", at: "2001:db8::1") == nil)
        #expect(await enrol("web-3") == .tokenUsed)
        let token = try #require(try await store.enrolmentTokens().first)
        #expect(token.state == .used && token.used == 2 && token.maxUses == 2 && token.name == "web-*" && token.role == .host)
        #expect(token.uses.map(\.name) == ["web-1", "web-2"] && token.uses.map(\.address) == ["192.0.2.7", "2001:db8::1"])
        #expect(token.usedMilliseconds == now && token.madeMilliseconds != nil)
        let peers = try await store.enrolledPeers()
        #expect(peers.map(\.name) == ["web-1", "web-2"] && peers.allSatisfy { $0.state == .enrolled })
        let events = try await store.events(subject: "web-2").map(\.detail)
        #expect(events == ["as a host, by token \(token.id), use 2 of 2"])
    }

    @Test func `of many that use it at once as many are enrolled as it says`() async throws {
        try await add(5)
        let enrolled = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<40 { group.addTask { await enrol("web-\(number % 20)") == nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(enrolled == 5)
        #expect(try await store.enrolmentTokens().first?.used == 5)
        let peers = try await store.enrolledPeers()
        #expect(peers.count == 5 && peers.allSatisfy { $0.enrolledMilliseconds != nil })
    }

    @Test func `nobody takes a name by it that the center has heard of`() async throws {
        try await add(10, "*")
        try await store.addToken(
            secretHash: [1], grant: EnrolmentGrant(identity: Identity(role: .host, name: "invited"), expiresMilliseconds: now + 1000))
        try await store.noteCertificate(of: Identity(role: .host, name: "seen"), issuedMilliseconds: now)
        try await store.revoke(Identity(role: .host, name: "gone"), nowMilliseconds: ChannelClock.system())
        for name in ["invited", "INVITED", "seen", "Seen", "gone", "GONE"] { #expect(await enrol(name) == .nameTaken, "\(name)") }
        // A site of that name is another.
        try await store.noteCertificate(of: Identity(role: .localCenter, name: "paris"), issuedMilliseconds: now)
        #expect(await enrol("paris") == nil)
    }

    @Test func `who is none of those it is for is refused, and uses nothing up`() async throws {
        try await add(1, "web-*", in: "192.0.2.0/24")
        #expect(await enrol("db-1") == .tokenOfAnotherName)
        #expect(await enrol("web-1", at: "198.51.100.1") == .tokenOfAnotherNetwork)
        #expect(await enrol("web-1", at: nil) == .tokenOfAnotherNetwork)
        #expect(await enrol(nil) == .nameInvalid)
        #expect(await enrol("web 1") == .nameInvalid)
        #expect(await enrol("web-1", role: .localCenter) == .tokenOfAnotherRole)
        // An IPv4 address, as a socket for both kinds has it.
        #expect(await enrol("web-1", at: "::ffff:192.0.2.9") == nil)
    }

    @Test func `one token is taken back, and a restore takes back all`() async throws {
        try await add(3)
        #expect(await enrol("web-1") == nil)
        let id = try #require(try await store.enrolmentTokens().first).id
        let other: [UInt8] = [9, 9]
        try await store.addToken(
            secretHash: other, grant: EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: now + 1_000_000))
        #expect(try await store.openToken(usedBy: Identity(role: .host, name: "web-1"))?.id == id)
        #expect(try await store.revokeToken(id: "none") == nil)
        #expect(try await store.revokeToken(id: id)?.used == 1)
        #expect(try await store.revokeToken(id: id) == nil, "it is revoked already")
        #expect(await enrol("web-2") == .tokenRevoked)
        #expect(try await store.openToken(usedBy: Identity(role: .host, name: "web-1")) == nil)
        #expect(try await store.enrolmentTokens().map(\.state).sorted { $0.rawValue < $1.rawValue } == [.open, .revoked])
        let recovery = try await store.recover(revocations: [], ofBackupMade: now, by: "a test")
        #expect(recovery.droppedTokens == 1)
        #expect(try await store.enrolmentTokens().allSatisfy { $0.state == .revoked })
    }

    @Test func `it ends with its time, and is forgotten with those who used it long after`() async throws {
        try await add(3)
        #expect(await enrol("web-1") == nil)
        await #expect(throws: EpitopeError.self) {
            try await store.grant(
                ofToken: secret, to: EnrolmentApplicant(role: .host, name: "web-2"), nowMilliseconds: now + 3_600_000)
        }
        try await store.transaction { _ = try $0.pruneTokens(before: ChannelClock.system() + 7_200_000, limit: 10) }
        #expect(try await store.enrolmentTokens().isEmpty)
        #expect(await enrol("web-3") == .tokenUnknown)
        #expect(try await store.enrolledPeers().map(\.state) == [.enrolled])
    }

    @Test(arguments: [
        ("web-*", "web-1", true), ("web-*", "web-", true), ("web-*", "we", false), ("*-paris", "a-paris", true), ("*", "x", true),
        ("a*a", "a", false), ("a*a", "aa", true), ("web-1", "web-1", true), ("web-1", "web-12", false),
    ]) func `a pattern is one name, or a beginning and an end`(pattern: String, name: String, matches: Bool) throws {
        #expect(try #require(HostNamePattern(pattern)).matches(name) == matches)
        #expect(HostNamePattern(pattern)?.description == pattern)
    }

    @Test func `a network that is written as IPv6 stands for the IPv4 addresses in it`() throws {
        let network = try #require(IPNetwork("::ffff:192.0.2.0/120"))
        let address = try #require(IPAddress("192.0.2.7"))
        #expect("\(network)" == "192.0.2.0/24" && network.contains(address))
        #expect(try #require(IPNetwork("::/0")).length == 0 && IPNetwork("::ffff:192.0.2.0/129") == nil)
    }

    @Test(arguments: ["", "a*b*c", "web 1", "**", "ä*", String(repeating: "a", count: 65)])
    func `what no name can match is no pattern`(text: String) {
        #expect(HostNamePattern(text) == nil)
    }
}
