// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import LocalCenter
import Rendering
import Scheduling
import Signatures

/// The order in which fakes were called.
actor Journal {
    private(set) var entries: [String] = []

    func add(_ entry: String) {
        entries.append(entry)
    }
}

/// An IDS that keeps what it was given.
actor FakeIDS: RuleInstalling {
    enum Behaviour: Sendable {
        case confirms
        case isOutOfReach
        case refuses(Set<String>)
        /// Takes the rules, and never answers: a center that is killed in between.
        case hangs
    }

    private let journal: Journal
    private(set) var behaviour: Behaviour
    private(set) var deliveries: [[RuleAssignment]] = []
    private var isEmptied = false
    /// What stood in it before anything was delivered.
    private let present: [PresentRule]

    nonisolated let isDropping: Bool

    init(
        _ behaviour: Behaviour = .confirms, journal: Journal = Journal(), isDropping: Bool = false, present: [PresentRule] = []
    ) {
        self.present = present
        self.behaviour = behaviour
        self.journal = journal
        self.isDropping = isDropping
    }

    var rules: [RuleAssignment] { deliveries.last ?? [] }

    func become(_ behaviour: Behaviour) {
        self.behaviour = behaviour
    }

    /// Somebody else empties the IDS.
    func lose() { isEmptied = true }

    func rulesPresent() -> [PresentRule] { present }

    func difference(from rules: [RuleAssignment]) -> String? { isEmptied && !rules.isEmpty ? "no rule is loaded" : nil }

    func install(_ rules: [RuleAssignment]) async throws(EpitopeError) -> InstallationResult {
        deliveries.append(rules)
        isEmptied = false
        await journal.add("ids")
        let error = EpitopeError(.init("fake-ids"), "the IDS said no", remedy: "none")
        switch behaviour {
        case .confirms: return InstallationResult(detail: "\(rules.count) rules live")
        case .isOutOfReach: throw error
        case .refuses(let signatures):
            let bad = rules.filter { signatures.contains($0.update.signature.id) }
            return InstallationResult(
                refused: Dictionary(uniqueKeysWithValues: bad.map { ($0.sid, error) }), detail: "some rules live")
        case .hangs:
            try? await Task.sleep(for: .seconds(3600))
            throw error
        }
    }
}

/// A global center that keeps what it was given, and holds out the updates it was filled with.
actor FakeGlobalCenter: GlobalCenterLink {
    enum Behaviour: Sendable {
        case receives
        case isOutOfReach
        case refuses
        /// Answers with this.
        case answers(EpitopeError)
        case hangs
    }

    private let journal: Journal
    private(set) var behaviour: Behaviour
    private(set) var forwards: [ForwardedPacket] = []
    /// Those that said what the site concluded, each time that they came.
    private(set) var concluded: [ForwardedPacket] = []
    private(set) var published: [SignatureUpdate] = []
    private(set) var feed: [FeedEntry] = []
    private var generation: UInt64 = 1
    private let signal = WakeUpSignal()

    init(_ behaviour: Behaviour = .receives, journal: Journal = Journal()) {
        self.behaviour = behaviour
        self.journal = journal
    }

    func become(_ behaviour: Behaviour) {
        self.behaviour = behaviour
    }

    func offer(_ update: SignatureUpdate, number: UInt32? = nil) {
        append(.update(update), number: number)
    }

    func withdraw(_ signatureID: String, reason: String = "false alarm") {
        append(.withdrawal(.init(signatureID: signatureID, reason: reason)))
    }

    /// Holds out an entry that subscribers of this version can't read.
    func offerUnreadable(_ reason: String) { append(.unreadable(reason)) }

    /// What could not be read is this update.
    func makeReadable(_ update: SignatureUpdate) {
        for index in feed.indices { if case .unreadable = feed[index].change { feed[index].change = .update(update) } }
    }

    /// Becomes a center that counts from 1 again, with other marks.
    func forget() {
        feed = []
        generation += 1
        signal.send()
    }

    private func append(_ change: FeedEntry.Change, number: UInt32? = nil) {
        let sequence = Int64(feed.count) + 1
        feed.append(
            FeedEntry(
                position: FeedPosition(sequence: sequence, mark: generation << 32 | UInt64(sequence)), change: change, ruleNumber: number))
        signal.send()
    }

    func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt {
        await journal.add("forward")
        try await answer()
        let isKnown = forwards.contains { $0.id == forward.id }
        if !isKnown { forwards.append(forward) }
        if forward.conclusion != nil { concluded.append(forward) }
        return Receipt(id: forward.id, storedMilliseconds: 1, wasKnown: isKnown)
    }

    func publish(_ update: SignatureUpdate) async throws(EpitopeError) -> Receipt {
        await journal.add("publish")
        try await answer()
        published.append(update)
        return Receipt(id: update.signature.id, storedMilliseconds: 1, wasKnown: false)
    }

    func updates(after position: FeedPosition, waitSeconds: Int) async throws(EpitopeError) -> FeedPage {
        if case .answers(let error) = behaviour { throw error }
        let seen = signal.count
        let found = page(after: position)
        guard found.entries.isEmpty, !found.isFromStart else { return found }
        await signal.wait(after: seen, atMost: .seconds(waitSeconds))
        return page(after: position)
    }

    private func page(after position: FeedPosition) -> FeedPage {
        let isKnown = position == .start || feed.contains { $0.position == position }
        return FeedPage(entries: feed.filter { !isKnown || $0.sequence > position.sequence }, isFromStart: !isKnown)
    }

    private func answer() async throws(EpitopeError) {
        switch behaviour {
        case .receives: return
        case .isOutOfReach: throw EpitopeError(.init("center-unreachable"), "nobody answers", remedy: "none")
        case .refuses: throw EpitopeError(.init("packet-malformed"), "won't have it", remedy: "none")
        case .answers(let error): throw error
        case .hangs:
            try? await Task.sleep(for: .seconds(3600))
            throw EpitopeError(.init("center-unreachable"), "nobody answers", remedy: "none")
        }
    }
}
