// SPDX-License-Identifier: Apache-2.0

public import CenterStore
import Correlation
public import EpitopeModel
import Scheduling
public import SignatureProving
public import Signatures

/// Takes in the updates of the global center: proves each again, and schedules its delivery to the IDS.
public struct FeedReceiver: Sendable {
    private let store: CenterStore
    private let provers: ProverSource
    private let work = BlockingQueue(label: "epitope.feed")
    private let bounded = BoundedWork()
    private let failing = FailingItems()

    public init(store: CenterStore, provers: ProverSource) {
        self.store = store
        self.provers = provers
    }

    /// Stores what a page of the feed says, and moves the position past it in the same transaction, so that nothing is lost or taken
    /// twice.
    ///
    /// Each update is proven with this site's own goodware and captures, as far as that is possible without its packets. A withdrawal
    /// takes the signature's rules out of this site's IDS, whoever made them.
    ///
    /// An entry of which nothing can be made is passed over, with an event: at once where it can't be read, and where it can't be stored
    /// after some attempts. It is asked for again when the center starts anew.
    ///
    /// - Parameter asked: the position after which the page was asked for; a page is dropped if that is no longer the store's.
    /// - Throws: `disk-full`, `store-failed`, `store-unusable`, `goodware-missing` where that doesn't answer; `CancellationError` where the
    ///   task is cancelled meanwhile.
    public func accept(_ page: FeedPage, after asked: FeedPosition? = nil) async throws {
        // Outside of the transaction, and off Swift's pool: it may read captures of benign traffic.
        let proofs = try await work.runUnlessCancelled { [self] in Result { () throws(EpitopeError) in try prove(page) } }.get()
        do {
            try await take(page, proofs, after: asked)
        } catch  where FailingItems.mayBeOfOne(error) {
            try await takeOneByOne(page, proofs, after: asked)
        }
    }

    /// - Throws: `goodware-missing` where the goodware doesn't answer: the page is taken later.
    private func prove(_ page: FeedPage) throws(EpitopeError) -> [Proof?] {
        let current = provers.current()
        let seconds = provers.settings.maxProofTime / .seconds(1)
        let proofs: [Proof?]? =
            current.isAnswering
            ? bounded.run(withinSeconds: seconds) { page.entries.map { $0.update.map { current.prover.proof(of: $0) } } } : nil
        if let proofs { return proofs }
        if current.isAnswering { provers.gaveUp() }
        throw ProverSource.outage
    }

    /// Has the entries asked for again that were passed over before the center started.
    public func start() async throws(EpitopeError) {
        try await store.transaction { try $0.askForPassedOver() }
    }

    private func takeOneByOne(_ page: FeedPage, _ proofs: [Proof?], after asked: FeedPosition?) async throws(EpitopeError) {
        var before = asked
        if page.isFromStart {
            try await take(FeedPage(isFromStart: true), [], after: asked)
            before = .start
        }
        for (entry, proof) in zip(page.entries, proofs) {
            do throws(EpitopeError) {
                try await take(FeedPage(entries: [entry]), [proof], after: before)
                failing.succeeded(entry.sequence)
            } catch {
                // Those behind it wait until it is passed over: an update may be withdrawn further on.
                guard FailingItems.mayBeOfOne(error), failing.failed(entry.sequence) else { throw error }
                try await store.transaction { try $0.passOver(entry.position, reason: error.description) }
            }
            before = entry.position
        }
    }

    private func take(_ page: FeedPage, _ proofs: [Proof?], after asked: FeedPosition?) async throws(EpitopeError) {
        try await store.transaction { transaction in
            if page.isFromStart { try transaction.beginFeedAnew() }
            var position = try transaction.subscriptionPosition()
            guard page.isFromStart || asked == nil || asked == position else { return }
            for (entry, proof) in zip(page.entries, proofs) where entry.sequence > position.sequence {
                position = entry.position
                switch entry.change {
                case .withdrawal(let withdrawal): try transaction.withdraw(withdrawal, at: position)
                case .update(let update):
                    if let proof { try Self.schedule(update, of: entry, proof: proof, in: transaction) }
                case .unreadable(let reason): try transaction.passOver(position, reason: reason)
                }
            }
            try transaction.setSubscriptionPosition(position)
        }
    }

    private static func schedule(
        _ published: SignatureUpdate, of entry: FeedEntry, proof: Proof, in transaction: StoreTransaction
    ) throws {
        let update = published.bounded(sequence: entry.sequence, proof: proof, nowMilliseconds: transaction.nowMilliseconds)
        let id = update.signature.id
        guard try !transaction.adopt(update, sequence: entry.sequence) else { return }
        let name = "sequence \(entry.sequence), revision \(update.revision)"
        try transaction.record(.received, id, name)
        // Only what is not withdrawn is published.
        try transaction.liftGlobalWithdrawal(of: id)
        // Only updates of the global center have such a number: it takes no place of the site's own.
        let revised = try transaction.updates(ofSequences: entry.revises)
        for item in revised { try transaction.withdrawRevision(id, of: item.update.signature.id) }
        let decision = FeedDecision(
            on: update, withdrawal: try transaction.withdrawalReason(of: id), atIDS: try transaction.updatesAtIDS(of: id).map(\.update),
            nowMilliseconds: transaction.nowMilliseconds)
        if case .deliver = decision, let reason = try transaction.allowance(forbidding: update.signature, of: nil) {
            return try store(update, .unproven(reason), name: name, in: transaction)
        }
        guard case .deliver = decision else {
            if case .covered = decision, let own = try transaction.updatesAtIDS(of: id).first {
                // The site's own rule of the same signature has the number that it has everywhere.
                _ = try transaction.assignSID(entry.ruleNumber, ofGlobalCenter: id, toRule: own.rule)
            }
            return try store(update, decision, name: name, in: transaction)
        }
        let older = try revised.filter {
            try $0.state == .proven && !transaction.isPinned($0.update.signature.id)
                && RevisionDecision.isAllowed(update.signature, proof, over: $0.update)
        }
        let rule = try transaction.rule(of: id, after: try transaction.latestUpdate(of: id), revising: older)
        if let refusal = try transaction.assignSID(entry.ruleNumber, ofGlobalCenter: id, toRule: rule) {
            return try store(update, .unproven(refusal), name: name, in: transaction)
        }
        let row = try transaction.add(update, of: nil, rule: rule, state: .proven, reason: nil)
        try transaction.record(.proven, id, proof.summary)
        try transaction.replace(older, by: row)
        try transaction.addDelivery(of: row, to: .ids)
        try transaction.supersede(by: row)
    }

    /// Stores an update that is not delivered, with the reason.
    private static func store(
        _ update: SignatureUpdate, _ decision: FeedDecision, name: String, in transaction: StoreTransaction
    ) throws {
        let (state, step, reason): (UpdateState, CenterEvent.Step, String) =
            switch decision {
            case .deliver: (.proven, .proven, name)
            case .unproven(let reason): (.unproven, .unproven, reason)
            case .expired: (.expired, .expired, CenterStore.expiryReason)
            case .withdrawn(let reason): (.withdrawn, .withdrawn, reason)
            case .covered(let revision): (.covered, .covered, "revision \(revision) of the signature is in force here")
            }
        let rule = try transaction.rule(for: update.signature.id)
        _ = try transaction.add(update, of: nil, rule: rule, state: state, reason: reason)
        try transaction.record(step, update.signature.id, reason)
    }
}

extension SignatureUpdate {
    /// The update as this site stores it: with its own proof, and within bounds that the sender can't stretch.
    fileprivate func bounded(sequence: Int64, proof: Proof, nowMilliseconds: Int64) -> SignatureUpdate {
        var update = self
        update.origin = .global(sequence: sequence)
        // A creation time in the future would extend the lifetime.
        update.createdMilliseconds = min(update.createdMilliseconds, nowMilliseconds)
        update.lifetimeDays = max(1, min(update.lifetimeDays, SignatureUpdate.maxLifetimeDays))
        update.revision = max(1, min(update.revision, Int(Int32.max)))
        update.proof = proof
        return update
    }
}
