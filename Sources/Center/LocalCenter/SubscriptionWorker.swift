// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMetrics
import CenterStore
import EpitopeModel
import Scheduling
import Signatures

/// Subscribes to the global center's feed by long polls, and passes them on to be proven and stored.
struct SubscriptionWorker: Sendable {
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
        var isStarted = false
        let lanes = store.counters.lanes
        lanes.start(.subscription, limit: Self.maxPoll)
        let polling = FeedPolling(
            onTurn: { lanes.turn(.subscription) },
            onFailure: { error, pause in
                onFailure(error)
                lanes.turn(.subscription, restingFor: pause)
            })
        await polling.run { waitSeconds in
            if !isStarted { try await receiver.start() }
            isStarted = true
            let position = try await store.subscriptionPosition()
            let page = try await link.updates(after: position, waitSeconds: waitSeconds)
            onSuccess()
            // A center that doesn't know the position may have nothing at all.
            guard page.isFromStart && position != .start || page.entries.contains(where: { $0.sequence > position.sequence }) else {
                return false
            }
            try await receiver.accept(page, after: position)
            idsSignal.send()
            return true
        }
    }
}
