// SPDX-License-Identifier: Apache-2.0

internal import CenterStore
internal import EpitopeModel

/// Sends packets and updates to the global center, in order, within the day's quota.
actor ForwardingWorker {
    private let store: CenterStore
    private let link: any GlobalCenterLink
    private let limits: QuotaLimits
    private let waitsFor: DeliveryOrder?
    private let bell: Bell
    /// The bell of the lane that may wait for this one.
    private let other: Bell
    private let onFailure: @Sendable (any Error) -> Void
    private var backoff = Backoff()

    init(
        store: CenterStore, link: any GlobalCenterLink, limits: QuotaLimits, waitsFor: DeliveryOrder?, bell: Bell,
        other: Bell, onFailure: @escaping @Sendable (any Error) -> Void
    ) {
        self.store = store
        self.link = link
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
            if try await store.markTried(.global) { await other.ring() }
            return remaining
        }
        let reopens = [
            try await store.takeForwardQuota(limits: limits, after: waitsFor),
            try await store.takeQuota(for: .global, limits: limits, after: waitsFor),
        ]
        var outgoing = try await store.outgoing()
        while !outgoing.isEmpty, backoff.remaining == nil {
            for item in outgoing where backoff.remaining == nil { try await send(item) }
            outgoing = try await store.outgoing()
        }
        // Where this lane goes first, the other waits for it to have tried, or to have found its quota used up.
        if waitsFor == nil { await other.ring() }
        return backoff.remaining ?? delay(until: reopens.compactMap(\.self).min(), by: store.clock)
    }

    private func send(_ item: OutboundMessage) async throws {
        let receipt: Receipt
        do {
            receipt =
                switch item.body {
                case .forward(let forward): try await link.forward(forward)
                case .update(let update): try await link.publish(update)
                }
        } catch  where error.isRefusalOfMessage {
            onFailure(error)
            return try await store.settle(item, as: .refused, detail: error.description)
        } catch {
            onFailure(error)
            backoff.failed()
            return try await store.settle(item, as: .pending, detail: error.description)
        }
        backoff.succeeded()
        try await store.settle(
            item, as: .delivered,
            detail: receipt.wasKnown ? "the global center had it already" : "stored at the global center")
    }
}
