// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import SecureChannel
import Synchronization
import TestSupport
import Testing

@testable import CenterStore

/// How an order of a version spreads: decided from counts.
@Suite struct RolloutTests {
    private func rollout(_ state: Rollout.State = .first, share: Int = 10, tolerated: Int = 0) -> Rollout {
        Rollout(state: state, terms: Rollout.Terms(share: share, tolerated: tolerated))
    }

    @Test func `a share of the hosts gets it first, one at least`() {
        #expect(rollout().firstWave(of: 0) == 1)
        #expect(rollout().firstWave(of: 5) == 1)
        #expect(rollout().firstWave(of: 11) == 2)
        #expect(rollout(share: 100).firstWave(of: 11) == 11)
        #expect(rollout().admits(beside: .init(known: 100, given: 9)))
        #expect(!rollout().admits(beside: .init(known: 100, given: 10)))
    }

    @Test func `the rest gets it when all of the first are well, and not before`() {
        #expect(rollout().advanced(by: .init(known: 100, given: 10, well: 9)).state == .first)
        #expect(rollout().advanced(by: .init(known: 100, given: 10, well: 10)).state == .rest)
        #expect(rollout(.rest).admits(beside: .init(known: 100, given: 50)))
        // Where all that failed are tolerated, one at least is well.
        #expect(rollout(tolerated: 10).advanced(by: .init(known: 100, given: 10, failed: 10)).state == .first)
        #expect(rollout(tolerated: 1).advanced(by: .init(known: 100, given: 10, well: 9, failed: 1)).state == .rest)
    }

    @Test func `it stops by itself when one is not well, or says nothing`() {
        for counts in [
            Rollout.Counts(known: 100, given: 3, well: 2, failed: 1), Rollout.Counts(known: 100, given: 3, well: 2, silent: 1),
        ] {
            let (state, reason) = rollout().advanced(by: counts)
            #expect(state == .stopped)
            #expect(reason?.contains("of 3 hosts are not well") == true)
        }
        #expect(rollout(tolerated: 1).advanced(by: .init(known: 100, given: 10, well: 1, failed: 1, silent: 1)).state == .stopped)
        // Of many a few more may fail.
        #expect(rollout(.rest).advanced(by: .init(known: 200, given: 150, well: 147, failed: 3)).state == .rest)
        #expect(rollout(.rest).advanced(by: .init(known: 200, given: 150, well: 146, failed: 4)).state == .stopped)
        #expect(!rollout(.stopped).admits(beside: .init(known: 100)))
        #expect(rollout(.stopped).advanced(by: .init(known: 100, given: 1, well: 1)).state == .stopped)
    }

    @Test func `any number of failures may be tolerated, and none that can't be counted with`() {
        let all = rollout(.rest, tolerated: .max)
        #expect(all.terms.tolerated == Rollout.Terms.tolerations.upperBound)
        #expect(all.advanced(by: .init(known: 100_000, given: 100_000, failed: 100_000)).state == .rest)
        #expect(rollout(tolerated: .min).terms.tolerated == 0)
    }
}

/// What a center hands out, in the store: of SQLite and of PostgreSQL.
@Suite struct HandoutStoreTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite")
    }

    private func version(_ text: String) throws -> AgentVersion { try #require(AgentVersion(text)) }

    private func files(_ text: String, bytes: Int = 10) -> [(file: AgentManifest.File, content: Data)] {
        AgentManifest.fileNames.map { name in
            let content = Data("\(name) \(text)".utf8) + Data(repeating: 1, count: bytes)
            return (AgentManifest.File(name: name, size: content.count, sha256: Hex.encode(SHA256.hash(data: content))), content)
        }
    }

    private func add(_ text: String, bytes: Int = 10) async throws {
        try await store.addAgent(version(text), for: .x86_64, files: files(text, bytes: bytes), by: "a test")
    }

    @Test func `of two versions that are added at once both are whole`() async throws {
        let bytes = 12 * AgentManifest.partBytes
        async let one: Void = add("1.0.0", bytes: bytes)
        async let other: Void = add("1.1.0", bytes: bytes)
        async let small: Void = add("1.2.0")
        _ = try await (one, other, small)
        for version in try await store.agentVersions() {
            for file in version.files {
                var content = Data()
                for part in 0..<file.parts { content += Data(try #require(try await store.agentPart(part, of: file.sha256))) }
                #expect(Hex.encode(SHA256.hash(data: content)) == file.sha256, "\(version.version) \(file.name)")
            }
        }
        #expect(try await store.agentVersions().count == 3)
    }

    @Test func `a version whose programs are not whole is not ordered, and adding it again mends it`() async throws {
        try await add("1.0.0", bytes: 3 * AgentManifest.partBytes)
        let file = try #require(files("1.0.0", bytes: 3 * AgentManifest.partBytes).first?.file)
        for part in [0, 1] {
            try await store.transaction { transaction in
                let db = transaction.db
                if part == 0 {
                    try db.execute(
                        sql: "UPDATE agent_parts SET bytes = ? WHERE sha256 = ? AND part = 0", arguments: [Data([1]), file.sha256])
                } else {
                    try db.execute(sql: "DELETE FROM agent_parts WHERE sha256 = ? AND part = 1", arguments: [file.sha256])
                }
            }
            let error = await #expect(throws: EpitopeError.self) { try await order("1.0.0", number: 2, bytes: 3 * AgentManifest.partBytes) }
            #expect(error?.code == .agentUnknown)
            try await add("1.0.0", bytes: 3 * AgentManifest.partBytes)
            try await order("1.0.0", number: 2, bytes: 3 * AgentManifest.partBytes)
            try await store.transaction { try $0.db.execute(sql: "DELETE FROM agent_orders") }
        }
    }

    @Test func `a host that gave back what it ran, after it had refused a later order, is heard of`() async throws {
        try await add("1.0.0")
        try await add("1.1.0")
        try await order("1.0.0", number: 1)
        _ = try await ask("host-1", "1.0.0", 1)
        try await order("1.1.0", number: 5)
        _ = try await ask("host-1", "1.0.0", 1, about: 5, .refused)
        _ = try await ask("host-1", "0.9.0", 0, about: 1, .returned)
        let events = try await store.events().filter { $0.step == .agentReturned }
        #expect(events.count == 1 && events.first?.detail.contains("from order 1 to version 0.9.0") == true, "\(events)")
        _ = try await ask("host-1", "0.9.0", 0, about: 1, .returned)
        #expect(try await store.events().count { $0.step == .agentReturned } == 1)
    }

    /// The signature is the host's to check: the store takes any.
    @discardableResult
    private func order(
        _ text: String, number: Int64, kind: AgentManifest.Kind = .update, terms: Rollout.Terms = Rollout.Terms(), bytes: Int = 10
    ) async throws -> SignedManifest {
        let signed = SignedManifest(
            AgentManifest(
                number: number, kind: kind, version: try version(text), architecture: .x86_64,
                files: files(text, bytes: bytes).map(\.file)),
            signatures: [])
        try await store.order(signed, terms: terms, by: "a test")
        return signed
    }

    private func ask(
        _ host: String, _ version: String = "1.0.0", _ number: Int64 = 1, about: Int64? = nil, _ state: AgentReport.State = .well
    ) async throws -> Int64? {
        let report = AgentReport(architecture: .x86_64, version: try self.version(version), number: number, about: about, state: state)
        return try await store.agentOrder(for: host, after: report).order.map { try SignedManifest(text: $0).manifest.number }
    }

    private func state() async throws -> Rollout.State? { try await store.agentOrders().last?.rollout.state }

    @Test func `a version is stored in parts and given out as it was`() async throws {
        let size = 2 * AgentManifest.partBytes + 5
        try await add("1.0.0", bytes: size)
        for (file, content) in files("1.0.0", bytes: size) {
            #expect(file.parts == 3)
            var bytes: [UInt8] = []
            for part in 0..<file.parts { bytes += try #require(try await store.agentPart(part, of: file.sha256)) }
            #expect(Data(bytes) == content)
            #expect(try await store.agentPart(3, of: file.sha256) == nil)
        }
        #expect(try await store.agentVersions().map(\.version.description) == ["1.0.0"])
    }

    @Test func `there is a bound on versions, and what is removed leaves nothing`() async throws {
        for number in 0..<CenterStore.maxAgentVersions { try await add("1.0.\(number)") }
        await expect("agents-full") { try await add("1.1.0") }
        #expect(try await store.addAgent(version("1.0.3"), for: .x86_64, files: files("1.0.3"), by: "a test") == false)
        await expect("agent-exists") { _ = try await store.addAgent(version("1.0.3"), for: .x86_64, files: files("others"), by: "a test") }
        try await order("1.0.3", number: 1)
        await expect("agent-in-use") { try await store.removeAgent(version("1.0.3"), for: .x86_64, by: "a test") }
        try await store.removeAgent(version("1.0.4"), for: .x86_64, by: "a test")
        await expect("agent-unknown") { try await store.removeAgent(version("1.0.4"), for: .x86_64, by: "a test") }
        #expect(try await store.agentPart(0, of: files("1.0.4")[0].file.sha256) == nil)
        #expect(try await store.agentPart(0, of: files("1.0.5")[0].file.sha256) != nil)
        try await add("1.1.0")
    }

    @Test func `the first host gets an order, the others when it is well`() async throws {
        try await add("1.0.1")
        for host in ["a", "b", "c"] { #expect(try await ask(host) == nil) }
        try await order("1.0.1", number: 2)
        #expect(try await ask("a") == 2)
        #expect(try await ask("b") == nil)
        // It asks again, as after a crash.
        #expect(try await ask("a") == 2)
        #expect(try await ask("a", "1.0.1", 2) == nil)
        #expect(try await state() == .rest)
        #expect(try await ask("b") == 2)
        #expect(try await ask("c") == 2)
        #expect(try await store.events().contains { $0.step == .agentSpread })
        #expect(try await store.agentHosts().map(\.state) == [.well, .given, .given])
    }

    @Test func `an order stops when the first host goes back, and goes on when a person says so`() async throws {
        try await add("1.0.1")
        for host in ["a", "b"] { #expect(try await ask(host) == nil) }
        try await order("1.0.1", number: 2)
        #expect(try await ask("a") == 2)
        #expect(try await ask("a", "1.0.0", 1, about: 2, .returned) == nil)
        #expect(try await state() == .stopped)
        #expect(try await ask("b") == nil)
        try await store.setRollout(of: .x86_64, to: .rest, by: "a test")
        #expect(try await ask("b") == 2)
        #expect(try await ask("a", "1.0.0", 1, about: 2, .returned) == nil, "who gave it back is not told again")
        #expect(try await state() == .rest)
        #expect(try await ask("b", "1.0.0", 1, about: 2, .refused) == nil)
        #expect(try await state() == .stopped)
    }

    @Test func `a host that says nothing stops it`() async throws {
        let time = TestTime()
        let later = try TestStore.open(path: folder.path + "/center.sqlite", clock: time.clock)
        try await add("1.0.1")
        #expect(try await ask("b") == nil)
        try await order("1.0.1", number: 2)
        #expect(try await ask("a") == 2)
        // More than what it has, however long the steps before took.
        time.add(3_600_000)
        let report = AgentReport(architecture: .x86_64, version: try version("1.0.0"), number: 1)
        #expect(try await later.agentOrder(for: "b", after: report).order == nil)
        #expect(try await state() == .stopped)
    }

    @Test func `a new machine gets what all run, while the first hosts try another`() async throws {
        await expect("agent-unknown") { _ = try await store.installableAgent(for: .x86_64) }
        try await add("1.0.0")
        try await order("1.0.0", number: 1)
        #expect(try await store.installableAgent(for: .x86_64).manifest.number == 1)
        #expect(try await ask("a") == nil)
        #expect(try await state() == .rest)
        try await add("1.0.1")
        try await order("1.0.1", number: 2)
        #expect(try await store.installableAgent(for: .x86_64).manifest.number == 1)
        #expect(try await ask("a") == 2)
        #expect(try await ask("a", "1.0.1", 2) == nil)
        #expect(try await store.installableAgent(for: .x86_64).manifest.number == 2)
        await expect("agent-unknown") { _ = try await store.installableAgent(for: .aarch64) }
    }

    @Test func `an order's number is later than all, whatever the clock`() async throws {
        try await add("1.0.0")
        try await order("1.0.0", number: 5000)
        #expect(try await store.nextAgentOrder(nowMilliseconds: 100) == 5001)
        #expect(try await store.nextAgentOrder(nowMilliseconds: 9000) == 9000)
        await expect("agent-unknown") { try await order("1.0.9", number: 9001) }
    }

    private func expect(_ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ step: () async throws -> Void) async {
        do {
            try await step()
            Issue.record("nothing was refused", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? EpitopeError)?.code.rawValue == code, "\(error)", sourceLocation: sourceLocation)
        }
    }
}

/// A center's clock that a test sets.
private final class TestTime: Sendable {
    private let value = Mutex(ChannelClock.system())

    func add(_ milliseconds: Int64) { value.withLock { $0 += milliseconds } }
    var clock: CenterClock { CenterClock(preciseMilliseconds: { [self] in Double(value.withLock { $0 }) }) }
}
