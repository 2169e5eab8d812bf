// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import PacketCoding
import Rendering
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterStore

extension [RuleAssignment] {
    /// Which rules they are. What each rests on grows with its reporters.
    fileprivate var names: [String] { map { "\($0.sid) \($0.update.signature.id) \($0.update.revision)" } }
}

/// A center's store and analysis, with an IDS that takes what it is given.
private final class Site {
    private let folder: TemporaryFolder
    let store: CenterStore
    let analyst: ReportAnalyst
    let provers: ProverSource
    var limits = QuotaLimits(updates: 1000)
    private var random: SeededGenerator
    private var count = 0

    /// - Parameter hasBenign: whether signatures are compared with benign traffic; without, some may only alert.
    init(targets: Set<DeliveryTarget> = [.ids], seed: String = "revisions", hasBenign: Bool = true) throws {
        folder = try TemporaryFolder()
        let benign = folder.path + "/benign.pcap"
        try Data(CaptureFile.udp([Array("nothing of an attack".utf8)], destinationPort: 53)).write(to: URL(filePath: benign))
        provers = ProverSource(ProverSettings(requireGoodware: false, benignCaptures: hasBenign ? [benign] : []))
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
        analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: targets, forwards: .never, lifetimeDays: 90),
            provers: provers)
        random = SeededGenerator(seed: 1, seed)
    }

    func variant(of template: CodeTemplate) -> ExtractedPacket {
        count += 1
        let variant = template.variant(&random)
        var packet = Fixture.packet(attack: 1, number: count, host: "host-\(count)", port: 8080)
        packet.architecture = variant.architecture
        packet.content = .code(variant.code)
        packet.callersAddress = variant.callersAddress
        packet.parameters.process.listening = [
            .init(transport: .tcp, local: SocketEndpoint(address: "0.0.0.0", port: 8080))
        ]
        return packet
    }

    func receive(_ packet: ExtractedPacket) async throws {
        let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
        _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
        while try await analyst.analyse() > 0 {}
    }

    /// The rule set that the IDS gets next, if anything changed.
    func next() async throws -> RuleSet {
        _ = try await store.reserveQuota(for: .ids, limits: limits, yieldingTo: nil)
        return try await store.ruleSet()
    }

    /// What the IDS has after a delivery.
    @discardableResult
    func deliver() async throws -> [RuleAssignment] {
        let set = try await next()
        let rules = set.rules(adding: set.pending)
        try await store.confirm(rules, added: set.pending, detail: "live")
        #expect(try await store.ruleSet().inForce == rules, "the store has what the IDS has")
        return rules
    }

    /// Receives and delivers variants until a second signature is in force.
    func revise(_ template: CodeTemplate) async throws -> (first: RuleAssignment, second: RuleAssignment) {
        try await receive(variant(of: template))
        let first = try #require(try await deliver().first)
        for _ in 0..<20 {
            try await receive(variant(of: template))
            let rules = try await deliver()
            if let second = rules.first(where: { $0.update.signature.id != first.update.signature.id }) { return (first, second) }
        }
        throw Unexpected(description: "the first signature matches every variant")
    }
}

@Suite("A variant revises its family's rule")
struct RevisionTests {
    private func template(_ name: String) throws -> CodeTemplate {
        try #require(CodeTemplate.all.first { $0.name == name })
    }

    @Test(arguments: CodeTemplate.all)
    func `fifty variants of one code leave one rule`(template: CodeTemplate) async throws {
        let site = try Site(seed: template.name)
        var most = 0
        for _ in 0..<50 {
            let packet = site.variant(of: template)
            try await site.receive(packet)
            let rules = try await site.deliver()
            most = max(most, rules.count)
            guard case .code(let code) = packet.content else { continue }
            #expect(rules.contains { $0.update.signature.matches(code.bytes) })
        }
        let status = try await site.store.status()
        let rules = try await site.deliver()
        print(
            "rules of the family \(template.name) after 50 variants: \(rules.count) (\(most) at most), revision "
                + "\(rules.first?.update.revision ?? 0), \(status.clusters) clusters")
        #expect(rules.count == 1)
        #expect(Set(status.latestUpdates.compactMap(\.sid)).count == 1)
    }

    @Test(arguments: CodeTemplate.all)
    func `without benign traffic a rule that drops stays beside one that may only alert`(template: CodeTemplate) async throws {
        let site = try Site(seed: template.name, hasBenign: false)
        for _ in 0..<20 {
            try await site.receive(site.variant(of: template))
            try await site.deliver()
        }
        let rules = try await site.deliver()
        print("rules of the family \(template.name) without benign captures: \(rules.count), \(rules.count(where: \.update.mayDrop)) drop")
        #expect(rules.count(where: \.update.mayDrop) <= 1 && rules.count(where: { !$0.update.mayDrop }) <= 1)
    }

    @Test func `the revision has the rule's number and the next revision, and events say so`() async throws {
        let site = try Site()
        let (first, second) = try await site.revise(template("operands"))
        #expect(first.sid == second.sid)
        #expect(second.update.revision == first.update.revision + 1)
        #expect(try await site.deliver().count == 1)
        let events = try await site.store.events()
        let (old, new) = (first.update.signature.id, second.update.signature.id)
        #expect(events.contains { $0.step == .proven && $0.subject == new && $0.detail.contains("revision 2, in place of \(old)") })
        #expect(events.contains { $0.step == .superseded && $0.subject == old && $0.detail.contains(new) })
        #expect(try await site.store.status().updates == ["proven": 1, "superseded": 1])
    }
}

// MARK: Until the IDS has it

extension RevisionTests {
    @Test func `the rule in force stays until the IDS has the revision`() async throws {
        let site = try Site()
        site.limits.updates = 1
        let template = try template("operands")
        try await site.receive(site.variant(of: template))
        let first = try #require(try await site.deliver().first)
        for _ in 0..<3 { try await site.receive(site.variant(of: template)) }
        #expect(try await site.deliver().names == [first].names, "the day's quota is used up")
        #expect(try await site.store.status().deliveries["ids waiting-quota"] == 1)
        site.limits.updates = 2
        let rules = try await site.deliver()
        #expect(rules.map(\.sid) == [first.sid])
        #expect(rules.first?.update.signature.id != first.update.signature.id)
    }

    @Test func `revisions use the quota as other updates do, and keep the place in the queue`() async throws {
        let site = try Site()
        site.limits.updates = 0
        let template = try template("operands")
        try await site.receive(site.variant(of: template))
        _ = try await site.next()
        let other = Fixture.packet(attack: 9, host: "other")
        try await site.receive(other)
        _ = try await site.next()
        for _ in 0..<4 { try await site.receive(site.variant(of: template)) }
        #expect(try await site.store.status().deliveries == ["ids waiting-quota": 2], "one of each attack")
        site.limits.updates = 1
        let rules = try await site.deliver()
        #expect(rules.count == 1 && rules.first?.update.signature.context.ports == [8080], "that whose first packet was earlier")
        #expect(rules.first?.update.revision ?? 0 > 1)
    }

    @Test func `an update that is replaced while the IDS reads it is in force until the IDS has the later one`() async throws {
        let site = try Site()
        let template = try template("operands")
        try await site.receive(site.variant(of: template))
        let set = try await site.next()
        #expect(set.pending.count == 1)
        for _ in 0..<3 { try await site.receive(site.variant(of: template)) }
        #expect(try await site.store.status().updates["superseded"] ?? 0 > 0)
        // The IDS answers only now.
        let rules = set.rules(adding: set.pending)
        try await site.store.confirm(rules, added: set.pending, detail: "live")
        site.limits.updates = 1
        let after = try await site.next()
        #expect(after.inForce.names == rules.names && after.isConfirmed)
        #expect(after.pending.isEmpty, "what the IDS took has used the quota")
        site.limits.updates = 2
        let final = try await site.deliver()
        #expect(final.count == 1 && final != rules)
    }

    @Test func `one that was withdrawn while the IDS read it leaves with the next rule set`() async throws {
        let site = try Site()
        try await site.receive(site.variant(of: template("operands")))
        let set = try await site.next()
        let signature = try #require(set.pending.first).rule.update.signature
        try await site.store.withdraw(signatureID: signature.id, reason: "test")
        try await site.store.confirm(set.rules(adding: set.pending), added: set.pending, detail: "live")
        let after = try await site.next()
        #expect(after.inForce.isEmpty && after.pending.isEmpty && !after.isConfirmed)
    }

    @Test func `a revision that the IDS refuses leaves the rule in force`() async throws {
        let site = try Site()
        let template = try template("operands")
        try await site.receive(site.variant(of: template))
        let first = try #require(try await site.deliver().first)
        for _ in 0..<3 { try await site.receive(site.variant(of: template)) }
        let set = try await site.next()
        let pending = try #require(set.pending.first)
        try await site.store.refuse(pending, reason: "test")
        #expect(try await site.deliver().names == [first].names)
    }
}

// MARK: Several rules

extension RevisionTests {
    private func signature(_ bytes: ClosedRange<UInt8>) -> SignatureUpdate {
        var update = Fixture.update(attack: 1)
        update.signature.tokens = [.init(bytes: Array(bytes))]
        return update
    }

    /// The numbers of the first two rules.
    private var numbers: [UInt32] {
        [signature(0x40...0x5f), signature(0x60...0x7f)].map { SIDRange.number(ofSignature: $0.signature.id, in: SIDRange.ofSite) }
    }

    /// Two rules of other numbers in force, and an update that takes the place of both.
    private func threeRules(_ store: CenterStore) async throws {
        let limits = QuotaLimits(updates: 1000)
        for update in [signature(0x40...0x5f), signature(0x60...0x7f)] {
            try await store.transaction { transaction in
                let rule = try transaction.rule(for: update.signature.id)
                _ = try transaction.assignSID(toRule: rule, of: update.signature.id)
                let id = try transaction.add(update, of: nil, rule: rule, state: .proven, reason: nil)
                try transaction.addDelivery(of: id, to: .ids)
            }
        }
        _ = try await store.reserveQuota(for: .ids, limits: limits, yieldingTo: nil)
        let set = try await store.ruleSet()
        try await store.confirm(set.rules(adding: set.pending), added: set.pending, detail: "live")
        try await store.transaction { transaction in
            let older = try [signature(0x40...0x5f), signature(0x60...0x7f)].compactMap {
                try transaction.latestUpdate(of: $0.signature.id)
            }
            let id = try transaction.add(signature(0x80...0x9f), of: nil, rule: older[0].rule, state: .proven, reason: nil)
            try transaction.replace(older, by: id)
            try transaction.addDelivery(of: id, to: .ids)
            try transaction.supersede(by: id)
        }
    }

    @Test func `an update that takes the place of two rules leaves one`() async throws {
        let site = try Site()
        try await threeRules(site.store)
        let set = try await site.next()
        #expect(set.inForce.map(\.sid) == numbers.sorted())
        #expect(set.pending.map(\.replaced) == [[numbers[1]]])
        let rules = try await site.deliver()
        #expect(rules.map(\.sid) == [numbers[0]])
        #expect(rules.map(\.update.signature.id) == [signature(0x80...0x9f).signature.id])
        #expect(try await site.store.status().updates == ["proven": 1, "superseded": 2])
    }

    @Test func `rules whose successor the IDS refuses are back with the next rule set`() async throws {
        let folder = try TemporaryFolder()
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
        try await threeRules(store)
        let ids = FakeIDS(.refuses([signature(0x80...0x9f).signature.id]))
        let center = try RunningCenter(folder: folder, ids: ids)
        try await eventually("both rules are back") {
            guard await ids.deliveries.count == 2 else { return false }
            return try await store.ruleSet().isConfirmed
        }
        await center.kill()
        #expect(await ids.deliveries.map { $0.map(\.sid) } == [[numbers[0]], numbers.sorted()])
        let set = try await store.ruleSet()
        #expect(set.inForce.map(\.sid) == numbers.sorted())
    }
}

// MARK: Withdrawals

extension RevisionTests {
    @Test func `who withdraws a revised signature withdraws its revisions, and reinstates them with it`() async throws {
        let site = try Site()
        let template = try template("operands")
        let (first, second) = try await site.revise(template)
        try await site.store.withdraw(signatureID: first.update.signature.id, reason: "false alarm")
        #expect(try await site.deliver().isEmpty)
        for _ in 0..<5 { try await site.receive(site.variant(of: template)) }
        #expect(try await site.deliver().isEmpty, "it doesn't come back as a revision")
        let updates = try await site.store.status().latestUpdates
        #expect(updates.allSatisfy { $0.state == .withdrawn })
        #expect(updates.contains { $0.reason == "it is a revision of \(first.update.signature.id): false alarm" })

        try await site.store.reinstate(signatureID: first.update.signature.id)
        let back = try await site.deliver()
        #expect(back.map(\.update.signature) == [second.update.signature], "at once, the revision in the place of the first")
        #expect(back.first?.update.revision == second.update.revision + 1)
        let reinstated = try await site.store.snapshot { try $0.withdrawalReason(of: second.update.signature.id) }
        #expect(reinstated == nil)
    }

    @Test func `what a person withdrew by name stays withdrawn when another is reinstated`() async throws {
        let site = try Site()
        let (first, second) = try await site.revise(template("operands"))
        try await site.store.withdraw(signatureID: first.update.signature.id, reason: "false alarm")
        try await site.store.withdraw(signatureID: second.update.signature.id, reason: "this one, too")
        try await site.store.reinstate(signatureID: first.update.signature.id)
        let reason = try await site.store.snapshot { try $0.withdrawalReason(of: second.update.signature.id) }
        #expect(reason == "this one, too")
        try await site.receive(site.variant(of: template("operands")))
        #expect(try await site.deliver().isEmpty)
    }

    @Test func `a withdrawn revision leaves the rule that it was to replace`() async throws {
        let site = try Site()
        let template = try template("operands")
        try await site.receive(site.variant(of: template))
        let first = try #require(try await site.deliver().first)
        for _ in 0..<3 { try await site.receive(site.variant(of: template)) }
        let pending = try #require(try await site.next().pending.first)
        try await site.store.withdraw(signatureID: pending.rule.update.signature.id, reason: "too wide")
        #expect(try await site.deliver().names == [first].names)
    }
}

// MARK: From the global center to its subscribers

extension RevisionTests {
    /// What a global center published of a family whose rule was revised.
    private func feed() async throws -> [FeedEntry] {
        let center = try Site(targets: [.feed])
        let template = try template("operands")
        var entries: [FeedEntry] = []
        for _ in 0..<8 {
            try await center.receive(center.variant(of: template))
            entries += try await center.store.feedPage(after: entries.last?.position ?? .start).entries
        }
        return try SequencedUpdates(encoded: SequencedUpdates(FeedPage(entries: entries)).encoded()).page.entries
    }

    @Test func `the feed carries a revision as one, and a subscriber's rule keeps its number`() async throws {
        let feed = try await feed()
        try #require(feed.count > 1)
        #expect(feed.map(\.update?.revision) == feed.indices.map { $0 + 1 })
        let number = try #require(feed[0].ruleNumber)
        #expect(SIDRange.ofGlobalCenter.contains(number) && feed.allSatisfy { $0.ruleNumber == number })
        #expect(feed[0].revises.isEmpty && feed[1].revises == [feed[0].sequence])
        let site = try Site()
        let receiver = FeedReceiver(store: site.store, provers: site.provers)
        for entry in feed {
            try await receiver.accept(FeedPage(entries: [entry]))
            let rules = try await site.deliver()
            #expect(rules.map(\.update.signature) == [entry.update?.signature])
            #expect(rules.map(\.sid) == [number], "the same at every site")
        }
    }

    @Test func `a subscriber that was away takes the last one alone`() async throws {
        let feed = try await feed()
        let site = try Site()
        try await FeedReceiver(store: site.store, provers: site.provers).accept(FeedPage(entries: feed))
        let last = try #require(feed.last)
        #expect(try await site.next().pending.map(\.rule.update.signature) == [last.update?.signature])
        #expect(try await site.deliver().count == 1)
    }

    @Test func `what a subscriber withdrew does not come back as a revision`() async throws {
        let feed = try await feed()
        let site = try Site()
        let receiver = FeedReceiver(store: site.store, provers: site.provers)
        try await receiver.accept(FeedPage(entries: [feed[0]]))
        try await site.deliver()
        try await site.store.withdraw(signatureID: try #require(feed[0].update).signature.id, reason: "false alarm")
        try await receiver.accept(FeedPage(entries: Array(feed.dropFirst())))
        #expect(try await site.deliver().isEmpty)
        #expect(try await site.store.status().updates == ["withdrawn": feed.count])
    }

    @Test func `an update of the global center takes no place of a site's own`() async throws {
        let feed = try await feed()
        let site = try Site()
        let first = try #require(feed[0].update)
        // The site's own rule of the same signature, under which the first entry is covered.
        try await site.store.transaction { transaction in
            let rule = try transaction.rule(for: first.signature.id)
            _ = try transaction.assignSID(toRule: rule, of: first.signature.id)
            var own = first
            own.origin = .site
            let id = try transaction.add(own, of: nil, rule: rule, state: .proven, reason: nil)
            try transaction.addDelivery(of: id, to: .ids)
        }
        try await site.deliver()
        try await FeedReceiver(store: site.store, provers: site.provers).accept(FeedPage(entries: feed))
        let last = try #require(feed.last)
        let rules = try await site.deliver()
        #expect(Set(rules.map(\.update.signature.id)) == [first.signature.id, try #require(last.update).signature.id])
    }
}
