// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMetrics
import CenterStore
import EpitopeModel
import Scheduling

/// Sends packets and updates to the global center, in order, within the day's quota.
actor ForwardingWorker {
    private let store: CenterStore
    private let link: any GlobalCenterLink
    private let schedule: TargetSchedule
    private let onFailure: @Sendable (any Error) -> Void
    private let onSuccess: @Sendable () -> Void
    private var backoff = RetryState(.center)
    /// A message is sent, or given up, long before.
    private static let maxSending = Duration.seconds(300)

    init(
        store: CenterStore, link: any GlobalCenterLink, schedule: TargetSchedule, onFailure: @escaping @Sendable (any Error) -> Void,
        onSuccess: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.link = link
        self.schedule = schedule
        self.onFailure = onFailure
        self.onSuccess = onSuccess
    }

    nonisolated func run() async {
        let lanes = store.counters.lanes
        lanes.start(.forwarding, limit: Self.maxSending)
        await RetryLoop(signal: schedule.signal, onFailure: onFailure, onTurn: { lanes.turn(.forwarding) }).run { try await self.round() }
    }

    /// - Returns: after what time there is something to do without a signal; `nil`: never.
    func round() async throws -> Duration? {
        if let remaining = backoff.remaining {
            if try await store.markAttempted(.global) { schedule.otherSignal.send() }
            return remaining
        }
        let (limits, first) = (schedule.limits.current, schedule.yieldingTo)
        let reopens = [
            try await store.reserveForwardQuota(limits: limits, yieldingTo: first),
            try await store.reserveQuota(for: .global, limits: limits, yieldingTo: first),
        ]
        var messages = try await store.outboundMessages()
        while !messages.isEmpty, backoff.remaining == nil {
            for message in messages where backoff.remaining == nil { try await send(message) }
            messages = try await store.outboundMessages()
        }
        if backoff.remaining == nil { onSuccess() }
        await schedule.attemptEnded()
        return backoff.remaining ?? store.clock.delay(until: reopens.compactMap(\.self).min())
    }

    private func send(_ message: OutboundMessage) async throws {
        defer { store.counters.lanes.turn(.forwarding) }
        let receipt: Receipt
        do {
            receipt =
                switch message.body {
                case .forward(let forward): try await link.forward(forward)
                case .update(let update): try await link.publish(update)
                }
        } catch  where error.isFinalForMessage {
            onFailure(error)
            return try await store.recordOutcome(of: message, as: .refused, detail: error.description)
        } catch {
            onFailure(error)
            backoff.failed(by: error)
            return try await store.recordOutcome(of: message, as: .pending, detail: error.description)
        }
        backoff.succeeded()
        try await store.recordOutcome(
            of: message, as: .delivered,
            detail: receipt.wasKnown ? "the global center had it already" : "stored at the global center")
    }
}
