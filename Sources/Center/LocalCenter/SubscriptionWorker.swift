// SPDX-License-Identifier: Apache-2.0

internal import CenterStore
internal import EpitopeModel
internal import SignatureProving
internal import Signatures

/// Waits at the global center for updates, and stores each with the cursor that it moves.
struct SubscriptionWorker: Sendable {
    /// Below the minute that a center holds an answer back at most.
    private static let waitSeconds = 55
    /// What must lie between two empty answers: a center that doesn't wait must not be asked without end.
    private static let leastInterval = Duration.seconds(1)

    let store: CenterStore
    let link: any GlobalCenterLink
    let provers: ProverSource
    let idsBell: Bell
    let onFailure: @Sendable (any Error) -> Void

    func run() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            let asked = ContinuousClock.now
            do {
                let cursor = try await store.subscriptionCursor()
                let updates = try await link.updates(after: cursor, waitSeconds: Self.waitSeconds)
                backoff.succeeded()
                if updates.contains(where: { $0.sequence > cursor }) {
                    try await store.keepReceived(updates, prover: provers.current().prover)
                    await idsBell.ring()
                } else {
                    try? await Task.sleep(until: asked + Self.leastInterval)
                }
            } catch {
                if Task.isCancelled { return }
                onFailure(error)
                try? await Task.sleep(for: backoff.failed())
            }
        }
    }
}
