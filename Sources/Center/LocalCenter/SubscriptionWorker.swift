// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
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
        while !Task.isCancelled {
            let asked = ContinuousClock.now
            do {
                if !isStarted { try await receiver.start() }
                isStarted = true
                let position = try await store.subscriptionPosition()
                let page = try await link.updates(after: position, waitSeconds: Self.waitSeconds)
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
                onFailure(error)
                try? await Task.sleep(for: backoff.failed(by: error))
            }
        }
    }
}
