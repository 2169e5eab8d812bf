internal import CenterStore
internal import EpitopeModel
internal import Signatures

/// Brings the rules of the IDS to what the store says that they should be: new updates within the day's quota, less
/// what expired or was withdrawn.
actor DeliveryLane {
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
        await Lane(bell: bell, onFailure: onFailure).run { try await self.round() }
    }

    private func round() async throws -> Duration? {
        if let remaining = backoff.remaining {
            try await store.markTried(.ids)
            await other.ring()
            return remaining
        }
        try await store.expireUpdates()
        let reopens = try await store.takeQuota(for: .ids, limits: limits, after: waitsFor)
        let set = try await store.ruleSet()
        if !set.new.isEmpty || !set.isConfirmed {
            try await deliver(set)
            await other.ring()
        }
        return backoff.remaining ?? delay(until: reopens, by: store.clock)
    }

    private func deliver(_ set: RuleSet) async throws {
        do {
            try await deliver(set.new, with: set.rules(adding: set.new))
        } catch .unavailable(let error) {
            try await retryLater(set.new, error)
        } catch .refused(let error) {
            switch set.new.count {
            // Rules that the IDS had before: what it refuses about them is the IDS's own state.
            case 0: try await retryLater([], error)
            case 1: try await refuse(set.new[0], error)
            default: try await deliverSingly(set)
            }
        }
    }

    /// Of several new rules one was refused: each is tried by itself, so that it doesn't take the others with it.
    private func deliverSingly(_ set: RuleSet) async throws {
        var accepted: [RuleSet.New] = []
        for new in set.new {
            do {
                try await deliver([new], with: set.rules(adding: accepted + [new]))
                accepted.append(new)
            } catch .unavailable(let error) {
                return try await retryLater([new], error)
            } catch .refused(let error) {
                try await refuse(new, error)
            }
        }
    }

    private func deliver(_ new: [RuleSet.New], with rules: [ActiveUpdate]) async throws(DeliveryFailure) {
        let detail = try await delivery.deliver(rules)
        do {
            try await store.confirm(rules, added: new, detail: detail)
        } catch {
            // The rules are live but the store doesn't know: delivering them again is harmless.
            throw .unavailable(error)
        }
        backoff.succeeded()
    }

    private func retryLater(_ new: [RuleSet.New], _ error: EpitopeError) async throws {
        backoff.failed()
        onFailure(error)
        try await store.noteAttempt(
            new.map(\.delivery), subject: new.first?.active.update.signature.id ?? "rules", reason: error.description)
    }

    private func refuse(_ new: RuleSet.New, _ error: EpitopeError) async throws {
        onFailure(error)
        let isGlobal = if case .global = new.active.update.origin { true } else { false }
        try await store.refuse(
            new.delivery, signatureID: new.active.update.signature.id, quota: isGlobal ? .globalUpdates : .updates,
            reason: error.description)
    }
}
