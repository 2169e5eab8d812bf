// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMetrics
import CenterStore
import EpitopeModel
import Scheduling
import Signatures

/// Subscribes to the global center's feed by long polls, and passes them on to be proven and stored.
struct SubscriptionWorker: Sendable {
    /// Less than the 60 s that a center holds a long poll open.
    private static let waitSeconds = 55
    /// The minimum time between two polls without updates, in case a center answers at once.
    private static let minInterval = Duration.seconds(1)
    /// A poll, and what is made of it: updates are proven by captures, perhaps.
    private static let maxPoll = Duration.seconds(900)

    let store: CenterStore
    let link: any GlobalCenterLink
    let receiver: FeedReceiver
    /// Wakes the delivery to the IDS.
    let idsSignal: WakeUpSignal
    let onFailure: @Sendable (any Error) -> Void
    let onSuccess: @Sendable () -> Void

    func run() async {
        var backoff = RetryState(.center)
        var isStarted = false
        // After a failure the first poll is answered at once: a link that works again is known to, and not only a minute later.
        var hasFailed = false
        let lanes = store.counters.lanes
        lanes.start(.subscription, limit: Self.maxPoll)
        while !Task.isCancelled {
            let asked = ContinuousClock.now
            lanes.turn(.subscription)
            do {
                if !isStarted { try await receiver.start() }
                isStarted = true
                let position = try await store.subscriptionPosition()
                let page = try await link.updates(after: position, waitSeconds: hasFailed ? 0 : Self.waitSeconds)
                hasFailed = false
                backoff.succeeded()
                onSuccess()
                // A center that doesn't know the position may have nothing at all.
                if page.isFromStart && position != .start || page.entries.contains(where: { $0.sequence > position.sequence }) {
                    try await receiver.accept(page, after: position)
                    idsSignal.send()
                } else {
                    try? await Task.sleep(until: asked + Self.minInterval)
                }
            } catch {
                if Task.isCancelled { return }
                hasFailed = true
                onFailure(error)
                let pause = backoff.failed(by: error)
                lanes.turn(.subscription, restingFor: pause)
                try? await Task.sleep(for: pause)
            }
        }
    }
}
