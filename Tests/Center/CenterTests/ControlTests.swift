// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import LocalCenter
import PacketCoding
import Rendering
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// What people decide, over a center that works, with an IDS that takes what it is given.
@Suite("People decide on updates, and each decision is in the audit log")
struct ControlTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()

    init() throws { folder = try TemporaryFolder() }

    private func center(_ ids: FakeIDS, _ change: (inout LocalCenterConfiguration) -> Void = { _ in }) throws -> RunningCenter {
        try RunningCenter(folder: folder, clock: clock, ids: ids) { configuration in
            configuration.updatesADay = 100
            change(&configuration)
        }
    }

    /// Acts as a person's command does.
    @discardableResult
    private func act(_ action: CenterAction, at center: RunningCenter) async throws -> ActionOutcome {
        let outcome = try await center.store.acting(as: .person(user: "alice")).perform(action)
        await center.service.wake()
        return outcome
    }

    private func audited(_ action: String, at center: RunningCenter) async throws -> [AuditEntry] {
        var search = AuditSearch()
        (search.actor, search.action) = ("user alice", action)
        return try await center.store.auditEntries(search)
    }

    private func id(_ attack: UInt8) -> String { Fixture.signature(attack: attack).id }

    private func live(_ ids: FakeIDS) async -> [String] { await ids.rules.map(\.update.signature.id) }

    @Test func `in approve an update waits until a person lets it go out, as confirmed`() async throws {
        let ids = FakeIDS()
        let center = try center(ids) { $0.mode = .approve }
        try await center.receive(Fixture.packet(attack: 1))
        try await center.awaitDeliveries(["ids waiting-approval": 1])
        let waiting = try #require(try await center.store.heldUpdates().first)
        #expect(waiting.signatureID == id(1) && waiting.state == .waitingApproval && waiting.reason == "by the setting mode: approve")
        #expect(waiting.sid != nil && waiting.update.support?.grade == .reported)
        #expect(await ids.deliveries.isEmpty, "nothing was given to the IDS")

        let outcome = try await act(.approve(signatureID: id(1)), at: center)
        #expect(outcome.released == [id(1)])
        try await center.awaitDeliveries(["ids delivered": 1])
        let rule = try #require(await ids.rules.first)
        #expect(rule.update.support?.grade == .confirmed && rule.update.support?.narrowedTo == nil && rule.sid == waiting.sid)
        #expect(try await audited("approved", at: center).map(\.subject) == [id(1)])
        #expect(try await center.store.heldUpdates().isEmpty)
        let again = await #expect(throws: EpitopeError.self) { try await act(.approve(signatureID: id(1)), at: center) }
        #expect(again?.code == .updateNotWaiting)
        // What was approved is renewed without a person; another attack waits.
        clock.advance(milliseconds: 46 * TestClock.day)
        try await center.receive(Fixture.packet(attack: 1, number: 2, host: "host-2"))
        try await center.receive(Fixture.packet(attack: 2, host: "host-3"))
        try await eventually("the renewal") { await ids.rules.first?.update.revision == 2 }
        try await eventually("the other") { try await center.store.heldUpdates().map(\.signatureID) == [id(2)] }
        #expect(await live(ids) == [id(1)])
        await center.kill()
    }

    @Test func `what was rejected does not come back, nor does what was withdrawn`() async throws {
        let ids = FakeIDS()
        let center = try center(ids) { $0.modes = ["grade reported: approve"] }
        try await center.receive(Fixture.packet(attack: 1))
        try await center.awaitDeliveries(["ids waiting-approval": 1])
        let outcome = try await act(.reject(signatureID: id(1), reason: "a test of ours"), at: center)
        #expect(outcome.withdrawn == [id(1)])
        #expect(outcome.learned.count == 1 && outcome.learned[0].contains("no update of it is made or taken again"))
        #expect(outcome.learned[0].contains("near variants of it, of cluster 1, wait for a person"))
        #expect(try await audited("rejected", at: center).map(\.detail) == ["a test of ours"])
        #expect(try await audited("withdrawn", at: center).map(\.detail) == ["rejected: a test of ours (by alice)"])
        #expect(try await audited("learned", at: center).map { "\(id(1)): \($0.detail)" } == outcome.learned)
        for number in 2..<5 { try await center.receive(Fixture.packet(attack: 1, number: number, host: "host-\(number)")) }
        try await center.awaitAnalysed(4)
        #expect(await live(ids).isEmpty)
        #expect(try await center.store.heldUpdates().isEmpty)
        // Undone by a person, it goes out.
        try await act(.reinstate(signatureID: id(1)), at: center)
        try await eventually("it is live") { await live(ids) == [id(1)] }
        #expect(try await audited("reinstated", at: center).count == 1)
        await center.kill()
    }

    @Test func `in observe nothing is delivered, what would have been is shown, and the settings release it`() async throws {
        let ids = FakeIDS()
        let center = try center(ids) { $0.mode = .observe }
        try await center.receive(Fixture.packet(attack: 1))
        try await center.awaitDeliveries(["ids observed": 1])
        #expect(try await center.store.heldUpdates([.observed]).map(\.signatureID) == [id(1)])
        let error = await #expect(throws: EpitopeError.self) { try await act(.approve(signatureID: id(1)), at: center) }
        #expect(error?.code == .updateNotWaiting && error?.description.contains("only observed") == true)
        var settings = center.service.configuration
        settings.mode = .approve
        await center.service.follow(settings)
        try await center.awaitDeliveries(["ids waiting-approval": 1])
        settings.modes = ["port 1434/udp: automatic"]
        await center.service.follow(settings)
        try await center.awaitDeliveries(["ids delivered": 1])
        #expect(await live(ids) == [id(1)])
        // What is in force stays, and what is not doesn't go out.
        (settings.mode, settings.modes) = (.observe, [])
        await center.service.follow(settings)
        try await center.receive(Fixture.packet(attack: 2, host: "host-2"))
        try await center.awaitDeliveries(["ids delivered": 1, "ids observed": 1])
        #expect(await live(ids) == [id(1)])
        let steps = try await center.store.auditEntries().filter { $0.subject == id(1) }.map(\.action)
        #expect(steps == ["proven", "held", "held", "released", "delivered"], "\(steps)")
        await center.kill()
    }

    @Test func `a center that can't store its modes delivers nothing`() async throws {
        let path = folder.path + "/center.sqlite"
        try TestStore.open(path: path, clock: clock.clock).close()
        try await TestStore.refuse("INSERT", on: "marks", when: "NEW.name = 'modes'", at: path)
        let ids = FakeIDS()
        let center = try center(ids) { $0.mode = .observe }
        try await center.receive(Fixture.packet(attack: 1))
        try await Task.sleep(for: .milliseconds(300))
        #expect(try await center.status().reports == ["stored": 1], "it takes packets, and does no more")
        try await TestStore.allow(on: "marks", at: path)
        try await center.awaitDeliveries(["ids observed": 1])
        await center.kill()
    }

    @Test func `all of a reporter or of a cluster is withdrawn at once, and what others say stays`() async throws {
        let ids = FakeIDS()
        let center = try center(ids)
        for attack in [1, 2] as [UInt8] { try await center.receive(Fixture.packet(attack: attack, host: "liar")) }
        try await center.receive(Fixture.packet(attack: 2, number: 1, host: "host-2"))
        try await center.receive(Fixture.packet(attack: 3, host: "host-3"))
        try await eventually("three rules") { await live(ids).count == 3 }
        let liar = Identity(role: .host, name: "liar")
        let outcome = try await act(.withdraw(.reporter(liar, isWithShared: false), reason: "an intruder's"), at: center)
        #expect(outcome.withdrawn == [id(1)] && outcome.shared == [id(2)])
        #expect(outcome.learned.last?.hasPrefix("nothing of the host liar itself") == true)
        try await eventually("it has left") { await Set(live(ids)) == [id(2), id(3)] }
        let none = await #expect(throws: EpitopeError.self) {
            try await act(.withdraw(.reporter(liar, isWithShared: false), reason: "an intruder's"), at: center)
        }
        #expect(none?.code == .nothingToWithdraw)
        try await act(.withdraw(.reporter(liar, isWithShared: true), reason: "an intruder's"), at: center)
        try await eventually("that, too") { await live(ids) == [id(3)] }
        let third = id(3)
        let cluster = try #require(try await center.store.snapshot { try $0.clusterNumber(ofSignature: third) })
        try await act(.withdraw(.cluster(cluster), reason: "no attack"), at: center)
        try await eventually("none is left") { await live(ids).isEmpty }
        #expect(try await audited("withdrawn", at: center).map(\.subject) == [id(1), id(2), id(3)])
        await #expect(throws: EpitopeError.self) { try await act(.withdraw(.cluster(99), reason: "no attack"), at: center) }
        await center.kill()
    }

    @Test func `a pinned rule does not expire until it is unpinned, and a lifetime can be another`() async throws {
        let ids = FakeIDS()
        let center = try center(ids)
        for attack in [1, 2] as [UInt8] { try await center.receive(Fixture.packet(attack: attack, host: "host-\(attack)")) }
        try await eventually("two rules") { await live(ids).count == 2 }
        try await act(.pin(signatureID: id(1), reason: "the worm of May"), at: center)
        try await act(.setLifetime(signatureID: id(2), days: 10), at: center)
        let pinned = await #expect(throws: EpitopeError.self) { try await act(.setLifetime(signatureID: id(1), days: 10), at: center) }
        #expect(pinned?.code == .updatePinned)
        clock.advance(milliseconds: 9 * TestClock.day)
        await center.service.wake()
        try await center.store.expireUpdates()
        #expect(try await center.status().updates == ["proven": 2])
        clock.advance(milliseconds: 2 * TestClock.day)
        await center.service.wake()
        try await eventually("the other is over") { await live(ids) == [id(1)] }
        clock.advance(milliseconds: 3000 * TestClock.day)
        await center.service.wake()
        try await center.store.expireUpdates()
        #expect(await live(ids) == [id(1)])
        let first = id(1)
        #expect(try await center.store.snapshot { try $0.isPinned(first) })
        try await act(.unpin(signatureID: id(1)), at: center)
        try await eventually("it is over now") { await live(ids).isEmpty }
        let unpinned = await #expect(throws: EpitopeError.self) { try await act(.unpin(signatureID: id(1)), at: center) }
        #expect(unpinned?.code == .notPinned)
        #expect(try await audited("pinned", at: center).map(\.detail) == ["the worm of May"])
        #expect(try await audited("unpinned", at: center).count == 1)
        #expect(try await audited("lifetime-changed", at: center).map(\.subject) == [id(2)])
        await #expect(throws: EpitopeError.self) { try await act(.pin(signatureID: id(9), reason: "none"), at: center) }
        await center.kill()
    }

    /// How each thing is allowed, of the first attack, which `host-1` reports.
    enum Kind: String, CaseIterable {
        case code
        case executable
        case host
        case signature

        var allowed: Allowed {
            switch self {
            case .code: .code(Allowances.hash(Fixture.code(attack: 1).bytes))
            case .executable: .executable("/usr/sbin/scanner")
            case .host: .host("host-1")
            case .signature: .signature(Fixture.signature(attack: 1).id)
            }
        }
    }

    private func packet(_ attack: UInt8, number: Int = 0, host: String = "host-1") -> ExtractedPacket {
        var packet = Fixture.packet(attack: attack, number: number, host: host)
        packet.parameters.process.executable = Executable(path: attack == 1 ? "/usr/sbin/scanner" : "/usr/sbin/other")
        return packet
    }

    @Test(arguments: Kind.allCases) func `nothing makes a rule of what is allowed, and its rules are withdrawn`(kind: Kind) async throws {
        let ids = FakeIDS()
        let center = try center(ids)
        try await center.receive(packet(1))
        try await center.receive(packet(2, host: "host-2"))
        try await eventually("two rules") { await live(ids).count == 2 }
        let outcome = try await act(.allow(kind.allowed, reason: "our scanner"), at: center)
        #expect(outcome.withdrawn == [id(1)])
        try await eventually("its rule has left, the other is there") { await live(ids) == [id(2)] }
        // Reported again, by the same host and what else is allowed.
        try await center.receive(packet(1, number: 1))
        if kind != .host { try await center.receive(packet(1, number: 2, host: "host-3")) }
        try await eventually("it is looked at") { try await center.status().reports["stored"] == nil }
        #expect(await live(ids) == [id(2)])
        let unusable = try await center.status().reports["unusable"] ?? 0
        #expect(unusable == (kind == .signature ? 0 : kind == .host ? 1 : 2))
        #expect(try await audited("allowed", at: center).map(\.subject) == [kind.allowed.value])
        let listed = try await center.store.allowances()
        #expect(listed.map(\.value) == [kind.allowed.value] && listed[0].actor == "user alice" && listed[0].reason == "our scanner")

        try await act(.disallow(kind.allowed), at: center)
        #expect(try await center.store.allowances().isEmpty)
        #expect(try await audited("disallowed", at: center).count == 1)
        await #expect(throws: EpitopeError.self) { try await act(.disallow(kind.allowed), at: center) }
        try await act(.reinstate(signatureID: id(1)), at: center)
        try await eventually("it is back") { await live(ids).count == 2 }
        await center.kill()
    }

    @Test func `code that is allowed before it was seen is held back, and so is what only matches it`() async throws {
        let ids = FakeIDS()
        let center = try center(ids)
        let outcome = try await act(.allow(Kind.code.allowed, reason: "our scanner"), at: center)
        #expect(outcome.learned[0].contains("doesn't have the code yet"))
        try await center.receive(packet(1))
        try await eventually("it is looked at") { try await center.status().reports == ["unusable": 1] }
        // Other code around the same bytes at the call: another hash, and a signature that the allowed code has.
        var variant = packet(1, number: 1, host: "host-2")
        let code = Fixture.code(attack: 1).bytes
        variant.content = .code(ExtractedCode(base: 0x1000, bytes: Array(code[0..<90]), isWholeRegion: true))
        try await center.receive(variant)
        try await eventually("that is held back, too") {
            try await center.store.events(subject: id(1)).contains {
                $0.step == .unproven && $0.detail.contains("it is allowed, by the code")
            }
        }
        #expect(await ids.deliveries.allSatisfy(\.isEmpty))
        await center.kill()
    }

    @Test func `a near variant of what a person withdrew waits, and other bytes of the attack don't`() async throws {
        let store = try TestStore.open(path: folder.path + "/near.sqlite", clock: clock.clock)
        let code = Fixture.code(attack: 1).bytes
        @Sendable func update(_ range: Range<Int>) -> SignatureUpdate {
            var update = Fixture.update(attack: 1)
            update.signature = Signature(tokens: [.init(bytes: Array(code[range]))], context: update.signature.context)
            return update
        }
        @Sendable func add(_ update: SignatureUpdate, to cluster: Int64?, _ transaction: StoreTransaction) throws -> String? {
            let rule = try transaction.rule(for: update.signature.id)
            _ = try transaction.assignSID(toRule: rule, of: update.signature.id)
            let id = try transaction.add(update, of: cluster, rule: rule, state: .proven, reason: nil)
            try transaction.addDelivery(of: id, to: .ids)
            return try transaction.unfinished(of: id).first?.state.rawValue
        }
        let (own, other, first) = try await store.transaction { transaction -> (Int64, Int64, String?) in
            let own = try transaction.addCluster(of: update(32..<64).signature)
            let other = try transaction.addCluster(of: Fixture.signature(attack: 2))
            return (own.id, other.id, try add(update(32..<64), to: own.id, transaction))
        }
        #expect(first == "pending")
        try await store.withdraw(signatureID: update(32..<64).signature.id, reason: "hits our backup", by: "alice")
        let states = try await store.transaction { transaction -> [String?] in
            [
                // Moved, and cut.
                try add(update(40..<72), to: own, transaction), try add(update(36..<60), to: own, transaction),
                // Other bytes, and another attack.
                try add(update(0..<32), to: own, transaction), try add(update(41..<73), to: other, transaction),
                // Another center's: of what attack it is isn't known.
                try add(update(42..<74), to: nil, transaction),
            ]
        }
        #expect(states == ["waiting-approval", "waiting-approval", "pending", "pending", "waiting-approval"])
        let held = try await store.heldUpdates()
        #expect(
            held.count == 3 && held.allSatisfy { $0.reason == "near \(update(32..<64).signature.id), which a person took out of force" })
        // A person decides on each.
        let approved = update(40..<72).signature.id
        _ = try await store.acting(as: .person(user: "bob")).perform(.approve(signatureID: approved))
        #expect(try await store.ruleSet().pending.map(\.rule.update.signature.id) == [approved])
        // The global center's withdrawals don't hold back what this site makes.
        let late = try await store.transaction { transaction -> String? in
            try transaction.withdraw(update(0..<32).signature.id, reason: "goodware", by: .globalCenter(mark: 7))
            return try add(update(2..<34), to: own, transaction)
        }
        #expect(late == "pending")
    }
}
