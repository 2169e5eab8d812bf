// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import SecureChannel
import Signatures
import TestSupport
import Testing

@testable import CenterStore

@Suite("Who did what when is a chain of hashes, and a break in it is found")
struct AuditTests {
    private let folder: TemporaryFolder
    private let path: String
    private let store: CenterStore
    private let clock = TestClock()

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/center.sqlite"
        store = try TestStore.open(path: path, clock: clock.clock)
    }

    private var alice: CenterStore { store.acting(as: .person(user: "root", sudoUser: "alice")) }

    /// An update that is delivered, as far as the store knows.
    private func addUpdate(_ attack: UInt8) async throws -> String {
        let update = Fixture.update(attack: attack)
        try await store.transaction { transaction in
            let rule = try transaction.rule(for: update.signature.id)
            _ = try transaction.assignSID(toRule: rule, of: update.signature.id)
            let id = try transaction.add(update, of: nil, rule: rule, state: .proven, reason: nil)
            try transaction.addDelivery(of: id, to: .ids)
            try transaction.record(.proven, update.signature.id, "revision 1: proven")
        }
        return update.signature.id
    }

    private func fill(_ count: Int) async throws {
        for number in 0..<count {
            try await store.transaction { try $0.record(.trusted, "host-\(number)", "the host") }
        }
    }

    @Test func `an entry's hash is of the bytes that are documented`() throws {
        // Made by another program: see Documentation/Operating/Control.md.
        let first = AuditEntry(
            after: .empty, timeMilliseconds: 1_700_000_000_000, actor: "user alice", action: "withdrawn", subject: "ab12",
            detail: "fälscher Alarm")
        #expect(first.hash.description == "1bebde12303268283fa738c4b5b91ae0d53d722ce20a5ef4f3df06dc80ee2046")
        let second = AuditEntry(after: first.head, timeMilliseconds: -5, actor: "center", action: "expired", subject: "", detail: "")
        #expect(second.hash.description == "71d15e8869cb82001cad0d3a2c8a3e400119816d966fa6c5354d586b45d373a8")
        #expect(AuditHead(second.head.description) == second.head)
        for text in ["", "1", "1:", "-1:\(second.hash)", "2:\(second.hash)0", "x:\(second.hash)"] { #expect(AuditHead(text) == nil) }
    }

    @Test func `decisions are in it with who made them, and the steps of packets are not`() async throws {
        let signature = try await addUpdate(1)
        try await store.transaction { transaction in
            for step in [CenterEvent.Step.stored, .clustered, .weighed, .unproven, .retried] { try transaction.record(step, "p", "") }
        }
        let token: [UInt8] = Array(0..<32)
        try await alice.addToken(
            secretHash: token, grant: EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: clock.clock.nowMilliseconds + 1000))
        _ = try await store.redeemToken(
            secretHash: token, by: EnrolmentApplicant(), issuedMilliseconds: 1, nowMilliseconds: clock.clock.nowMilliseconds)
        #expect(try await store.noteRenewal(of: Fixture.host, from: 1, to: 1))
        try await store.acting(as: .person(user: "bob")).revoke(Fixture.host, nowMilliseconds: 1_700_000_000_000)
        try await alice.withdraw(signatureID: signature, reason: "a test", by: "alice")
        clock.advance(milliseconds: 91 * TestClock.day)
        let other = try await addUpdate(2)
        try await store.expireUpdates()
        let entries = try await store.auditEntries()
        #expect(
            entries.map { "\($0.actor): \($0.action) \($0.subject)" } == [
                "center: proven \(signature)", "user root (sudo: alice): token-made host-1", "host host-1: enrolled host-1",
                "host host-1: renewed host-1", "user bob: revoked host-1", "user root (sudo: alice): withdrawn \(signature)",
                "user root (sudo: alice): learned \(signature)",
                "center: proven \(other)", "center: expired \(other)",
            ])
        #expect(entries.map(\.sequence) == Array(1...9))
        let found = try await store.verifyAudit()
        #expect(found.broken == nil && found.entries == 9 && found.first == 1)
        #expect(try await store.auditHead() == found.head)
        var search = AuditSearch()
        search.actor = "alice"
        #expect(try await store.auditEntries(search).map(\.sequence) == [2, 6, 7])
        search.actor = "%"
        #expect(try await store.auditEntries(search).isEmpty, "a sign of LIKE is a sign like others")
        (search.actor, search.action, search.limit) = (nil, "proven", 1)
        #expect(try await store.auditEntries(search).map(\.subject) == [other])
    }

    @Test func `what is changed, removed, put elsewhere or cut off is found, and where`() async throws {
        try await fill(5)
        let noted = try await store.auditHead()
        try await fill(1)
        #expect(try await store.verifyAudit(noted: noted).broken == nil)
        let (path, store) = (path, store)
        func broken(by damage: String, mendedBy repair: String, noted: AuditHead? = nil) async throws -> AuditBreak? {
            try await TestStore.execute(damage, at: path)
            let found = try await store.verifyAudit(noted: noted).broken
            try await TestStore.execute(repair, at: path)
            return found
        }
        #expect(
            try await broken(
                by: "UPDATE audit SET detail = 'the site' WHERE seq = 3", mendedBy: "UPDATE audit SET detail = 'the host' WHERE seq = 3")
                == .altered(3))
        #expect(
            try await broken(
                by: "UPDATE audit SET actor = 'user eve' WHERE seq = 6", mendedBy: "UPDATE audit SET actor = 'center' WHERE seq = 6")
                == .altered(6), "also the last")
        #expect(
            try await broken(by: "UPDATE audit SET seq = 30 WHERE seq = 3", mendedBy: "UPDATE audit SET seq = 3 WHERE seq = 30")
                == .gap(after: 2, found: 4))
        #expect(
            try await broken(by: "UPDATE audit SET seq = 10 WHERE seq = 1", mendedBy: "UPDATE audit SET seq = 1 WHERE seq = 10")
                == .beginningMissing(first: 2))
        try await TestStore.execute("DELETE FROM audit WHERE seq > 4", at: path)
        #expect(try await store.verifyAudit().broken == nil, "by itself it doesn't show")
        #expect(try await store.verifyAudit(noted: noted).broken == .headMissing(noted, last: 4))
        try await fill(3)
        #expect(try await store.verifyAudit().broken == nil)
        clock.advance(milliseconds: 1)
        try await TestStore.execute("DELETE FROM audit WHERE seq > 4", at: path)
        try await fill(3)
        #expect(try await store.verifyAudit(noted: noted).broken == .headDiffers(noted), "made anew, and the head tells")
    }

    @Test func `nothing happens that can't be written into it`() async throws {
        let signature = try await addUpdate(1)
        let before = try await store.events().count
        try await TestStore.refuse("INSERT", on: "audit", when: "NEW.seq > 0", at: path)
        let alice = alice
        await #expect(throws: EpitopeError.self) { try await alice.withdraw(signatureID: signature, reason: "a test") }
        #expect(try await store.snapshot { try $0.withdrawalReason(of: signature) } == nil)
        #expect(try await store.status().updates == ["proven": 1])
        #expect(try await store.events().count == before)
        try await TestStore.allow(on: "audit", at: path)
        try await alice.withdraw(signatureID: signature, reason: "a test")
        #expect(try await store.verifyAudit().broken == nil)
        try await TestStore.execute("UPDATE audit SET hash = \(TestStore.isPostgres ? "'\\x00'" : "x'00'") WHERE seq = 3", at: path)
        let other = try TestStore.open(path: path, clock: clock.clock)
        let error = await #expect(throws: EpitopeError.self) { try await other.reinstate(signatureID: signature) }
        #expect(error?.code == .storeUnusable, "to a chain without an end nothing is added")
        #expect(try await store.snapshot { try $0.withdrawalReason(of: signature) } != nil)
    }

    @Test func `retention leaves an entry of what it removed, and the chain goes on`() async throws {
        try await fill(4)
        let early = try await store.auditHead()
        clock.advance(milliseconds: 40 * TestClock.day)
        try await fill(2)
        let boundary = AuditHead(sequence: 4, hash: early.hash)
        #expect(try await store.pruneAudit(olderThanDays: 41) == 0)
        #expect(try await store.pruneAudit(olderThanDays: 30) == 4)
        #expect(try await store.pruneAudit(olderThanDays: 30) == 0)
        let left = try await store.auditEntries()
        #expect(left.map(\.sequence) == [5, 6, 7])
        #expect(left[2].action == "audit-pruned" && left[2].actor == "center")
        #expect(left[2].detail == "count=4 last=\(early) older than 30 days")
        let found = try await store.verifyAudit()
        #expect(found.broken == nil && found.first == 5 && found.entries == 3)
        #expect(try await store.verifyAudit(noted: boundary).broken == nil, "what was noted last before is compared with the checkpoint")
        let other = AuditHead(sequence: 4, hash: found.head.hash)
        #expect(try await store.verifyAudit(noted: other).broken == .headDiffers(other))
        let older = AuditHead(sequence: 3, hash: early.hash)
        #expect(try await store.verifyAudit(noted: older).broken == .headRemoved(older, first: 5))
        // Who removes more than retention did has to make all anew.
        try await TestStore.execute("DELETE FROM audit WHERE seq = 5", at: path)
        #expect(try await store.verifyAudit().broken == .beginningMissing(first: 6))
        try await TestStore.execute("DELETE FROM audit WHERE seq < 7", at: path)
        #expect(try await store.verifyAudit().broken == .beginningMissing(first: 7))
        try await TestStore.execute("DELETE FROM audit", at: path)
        #expect(try await store.verifyAudit(noted: found.head).broken == .headMissing(found.head, last: 0))
    }

    @Test func `a clock that jumps breaks nothing, keeps nothing for ever and removes nothing early`() async throws {
        try await fill(2)
        clock.advance(milliseconds: 4000 * TestClock.day)
        try await fill(1)
        clock.advance(milliseconds: -4000 * TestClock.day - 5)
        try await fill(1)
        clock.advance(milliseconds: -5000 * TestClock.day)
        try await fill(1)
        clock.advance(milliseconds: 5000 * TestClock.day)
        try await fill(1)
        #expect(try await store.verifyAudit().broken == nil)
        #expect(try await store.pruneAudit(olderThanDays: 30) == 0, "one of a time long past takes none along that are not")
        clock.advance(milliseconds: 32 * TestClock.day)
        try await fill(1)
        #expect(try await store.pruneAudit(olderThanDays: 30) == 6, "one of a time to come keeps nothing")
        #expect(try await store.verifyAudit().broken == nil)
        let doubted = CenterClock(preciseMilliseconds: { 4e12 }, isDoubtful: { true })
        #expect(try await TestStore.open(path: path, clock: doubted).pruneAudit(olderThanDays: 30) == 0)
    }

    @Test func `a file of it is checked anywhere, by this program and by another one`() async throws {
        try await fill(1001)
        try await store.transaction { try $0.record(.trusted, "ä\"\n\u{1}", "NUL: \0, \\ and a slash /", by: .peer(Fixture.site)) }
        let head = try await store.auditHead()
        let file = AuditFile(path: folder.path + "/audit.jsonl")
        #expect(try await file.write(from: store) == head)
        let error = await #expect(throws: EpitopeError.self) { try await file.write(from: store) }
        #expect(error?.code == .auditFileFailed, "a file that is there stays")
        #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)
        let whole = try file.verify(noted: head)
        #expect(whole.broken == nil && whole.entries == 1002 && whole.head == head)

        let script = try Self.documentedCheck()
        func python(_ path: String) async throws -> Command {
            try await Command.run("/usr/bin/python3", ["-c", script, path], seconds: 60)
        }
        let other = try await python(file.path)
        #expect(other.status == 0 && other.output.trimmingCharacters(in: .newlines) == "\(head)", "\(other.errors)")

        let lines = try String(contentsOf: URL(filePath: file.path), encoding: .utf8).split(separator: "\n").map(String.init)
        func rewritten(_ change: (inout [String]) -> Void) throws -> AuditFile {
            var changed = lines
            change(&changed)
            let copy = AuditFile(path: folder.path + "/\(UUID())")
            try Data((changed.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: copy.path))
            return copy
        }
        let altered = try rewritten { $0[499] = $0[499].replacing("host-499", with: "host-498") }
        #expect(try altered.verify(noted: nil).broken == .altered(500))
        #expect(try await python(altered.path).status != 0)
        #expect(try rewritten { $0.remove(at: 499) }.verify(noted: nil).broken == .gap(after: 499, found: 501))
        #expect(try rewritten { $0[9] = "{}" }.verify(noted: nil).broken == .unreadable(line: 10))
        #expect(try rewritten { $0[9] = String(repeating: "x", count: 3 << 20) }.verify(noted: nil).broken == .unreadable(line: 10))
        #expect(try rewritten { $0.removeFirst() }.verify(noted: nil).broken == .beginningMissing(first: 2))
        #expect(try rewritten { $0.removeLast() }.verify(noted: head).broken == .headMissing(head, last: 1001))
        #expect(throws: EpitopeError.self) { try AuditFile(path: folder.path).verify(noted: nil) }

        // A piece needs the head that it follows.
        let piece = AuditFile(path: folder.path + "/piece.jsonl")
        #expect(try await piece.write(from: store, after: 1000) == head)
        #expect(try piece.verify(noted: nil).broken == .beginningMissing(first: 1001))
        let before = try #require(AuditLine(json: Array(lines[999].utf8))?.entry?.head)
        #expect(try piece.verify(noted: before).broken == nil)
        let last = AuditFile(path: folder.path + "/last.jsonl")
        #expect(try await last.write(from: store, after: 5000) == .empty, "there is nothing after that")
    }

    /// The program that the documentation gives for checking a file.
    private static func documentedCheck() throws -> String {
        let page = try String(contentsOf: URL(filePath: "\(PackageFolder.path)/Documentation/Operating/Control.md"), encoding: .utf8)
        let parts = page.components(separatedBy: "```python\n")
        return String(try #require(parts.count == 2 ? parts[1].components(separatedBy: "```").first : nil))
    }
}
