// SPDX-License-Identifier: Apache-2.0

internal import CenterStore
internal import EpitopeModel
internal import Rendering
internal import Signatures

/// Brings the rules of the IDS to what the store says that they should be: new updates within the day's quota, less
/// what expired or was withdrawn.
actor DeliveryWorker {
    private let store: CenterStore
    private let delivery: any UpdateDelivery
    private let limits: QuotaLimits
    private let waitsFor: DeliveryOrder?
    private let bell: Bell
    /// The bell of the lane that may wait for this one.
    private let other: Bell
    private let onFailure: @Sendable (any Error) -> Void
    private var backoff = Backoff()

    init(
        store: CenterStore, delivery: any UpdateDelivery, limits: QuotaLimits, waitsFor: DeliveryOrder?, bell: Bell,
        other: Bell, onFailure: @escaping @Sendable (any Error) -> Void
    ) {
        self.store = store
        self.delivery = delivery
        self.limits = limits
        self.waitsFor = waitsFor
        self.bell = bell
        self.other = other
        self.onFailure = onFailure
    }

    nonisolated func run() async {
        await RetryLoop(bell: bell, onFailure: onFailure).run { try await self.round() }
    }

    private func round() async throws -> Duration? {
        if let remaining = backoff.remaining {
            if try await store.markTried(.ids) { await other.ring() }
            return remaining
        }
        try await store.expireUpdates()
        let reopens = try await store.takeQuota(for: .ids, limits: limits, after: waitsFor)
        let set = try await store.ruleSet()
        if !set.new.isEmpty || !set.isConfirmed {
            try await deliver(set)
        }
        // Where this lane goes first, the other waits for it to have tried, or to have found its quota used up.
        if waitsFor == nil { await other.ring() }
        return backoff.remaining ?? delay(until: reopens, by: store.clock)
    }

    private func deliver(_ set: RuleSet) async throws {
        let confirmation: DeliveryConfirmation
        do {
            confirmation = try await delivery.deliver(set.rules(adding: set.new))
        } catch {
            backoff.failed()
            onFailure(error)
            try await store.noteAttempt(
                set.new.map(\.delivery), subject: set.new.first?.active.update.signature.id ?? "rules",
                reason: error.description)
            return
        }
        backoff.succeeded()
        let refused = set.new.filter { confirmation.refused[$0.active.sid] != nil }
        let added = set.new.filter { confirmation.refused[$0.active.sid] == nil }
        // What the IDS had before and refuses now counts as confirmed: asking again would get the same answer.
        try await store.confirm(set.rules(adding: added), added: added, detail: confirmation.detail)
        for new in refused {
            guard let error = confirmation.refused[new.active.sid] else { continue }
            onFailure(error)
            try await refuse(new, error)
        }
    }

    private func refuse(_ new: RuleSet.New, _ error: EpitopeError) async throws {
        let isGlobal = if case .global = new.active.update.origin { true } else { false }
        try await store.refuse(
            new.delivery, signatureID: new.active.update.signature.id, quota: isGlobal ? .globalUpdates : .updates,
            reason: error.description)
    }
}
