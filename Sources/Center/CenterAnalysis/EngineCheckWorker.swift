// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
public import CenterStore
import EpitopeModel
import Signatures

/// Lets an engine run over the flows that carried an attack, for each signature that was proven by them, and stores what it says.
///
/// A rule goes out before, and only alerts: a run of the engine takes as long as all else until the rule is live. When the engine
/// fires, the rule may drop. When it does not, the rule leaves the IDS, and the cluster is proven again without that signature. Where
/// there is no answer, the engine is asked again a few times.
public struct EngineCheckWorker: Sendable {
    private let store: CenterStore
    private let engine: any EngineChecking
    private let queue: EngineCheckQueue
    private let onProgress: @Sendable () async -> Void
    private let onFailure: @Sendable (any Error) -> Void
    private let failing = FailingItems()
    /// Flows are read for a minute at most, as the settings are by default, and each run of the engine is bounded.
    private static let maxCheck = Duration.seconds(600)

    /// - Parameters:
    ///   - onProgress: called after an answer was stored.
    ///   - onFailure: called with each error; the step is tried again.
    public init(
        store: CenterStore, engine: any EngineChecking, queue: EngineCheckQueue, onProgress: @escaping @Sendable () async -> Void,
        onFailure: @escaping @Sendable (any Error) -> Void
    ) {
        self.store = store
        self.engine = engine
        self.queue = queue
        self.onProgress = onProgress
        self.onFailure = onFailure
    }

    /// Works until the task is cancelled.
    public func run() async {
        do {
            try await requeue()
        } catch {
            // They stay as they are until their clusters are proven again.
            onFailure(error)
        }
        let counters = store.counters
        counters.lanes.start(.engineChecks, limit: Self.maxCheck)
        await RetryLoop(signal: queue.signal, onFailure: onFailure, onTurn: { counters.lanes.turn(.engineChecks) }).run {
            while let task = queue.next(now: .now) {
                let check = await engine.check(task.signature, over: task.carriers)
                try Task.checkCancellation()
                do {
                    try await record(check, of: task)
                    failing.succeeded(task.cluster)
                } catch  where FailingItems.mayBeOfOne(error) {
                    // An answer that can't be stored keeps no other from being asked for.
                    guard failing.failed(task.cluster) else { throw error }
                    onFailure(error)
                }
                if check.outcome != .notChecked {
                    queue.remove(task)
                } else if !queue.putBack(task, now: .now) {
                    counters.lost.add(.engineChecksUnanswered)
                }
                counters.lanes.turn(.engineChecks)
                await onProgress()
            }
            return queue.wait(now: .now)
        }
    }

    /// Requests the proofs again for which a center that ended before had no answer.
    private func requeue() async throws {
        let count = try await store.transaction { transaction in
            let clusters = try transaction.clusters(withUnmade: .engineFires)
            for cluster in clusters { try transaction.requestProof(of: cluster) }
            return clusters.count
        }
        if count > 0 { await onProgress() }
    }

    private func record(_ check: Proof.Check, of task: EngineCheckQueue.Task) async throws {
        try await store.transaction { transaction in
            let id = task.signature.id
            // Withdrawn, expired or refused meanwhile: the answer is of no use.
            guard let latest = try transaction.latestUpdate(of: id), latest.state == .proven,
                let known = latest.update.proof.check(.engineFires), known.outcome == .notChecked, known != check
            else { return }
            var update = latest.update
            update.proof.replace(check)
            let name = "revision \(update.revision): \(check.name): "
            guard check.outcome == .failed else {
                try transaction.replaceProof(of: latest.id, with: update)
                // A rule that drops may take the place of others that do.
                if check.outcome == .passed, let cluster = try transaction.readableCluster(task.cluster),
                    try transaction.latestUpdates(of: cluster).count(where: { $0.state == .proven }) > 1
                {
                    try transaction.requestProof(of: task.cluster)
                }
                return try transaction.record(.proven, id, name + (check.outcome == .passed ? "" : "not checked: ") + check.detail)
            }
            try transaction.refute(latest.id, with: update, reason: "\(check.name): \(check.detail)")
            try transaction.record(.unproven, id, name + check.detail)
            try transaction.requestProof(of: task.cluster)
        }
    }
}

extension Proof {
    /// Puts a check in the place of the one of its name.
    fileprivate mutating func replace(_ check: Check) {
        for index in checks.indices where checks[index].name == check.name { checks[index] = check }
    }
}
