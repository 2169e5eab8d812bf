// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import Signatures

/// Requests proofs of clusters that reached the threshold.
struct ProofScheduler {
    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    /// - Parameter newest: the code of the packet that came in now; `nil`: the evidence came without one.
    func schedule(for cluster: Cluster, newest: [UInt8]?) throws {
        guard !policy.targets.isEmpty else { return }
        let progress = try transaction.proofProgress(of: cluster.id)
        // The other inputs cost several queries, and a burst of reports mostly finds its proof requested.
        guard progress != .pending else { return }
        let now = transaction.nowMilliseconds
        let decision = try ProofDecision(
            progress: progress, latest: try transaction.latestUpdates(of: cluster).map { $0.latest(nowMilliseconds: now) },
            context: cluster.signature.context, newest: newest, nowMilliseconds: now,
            packets: { try transaction.packetsSoFar(of: cluster.id) })
        if case .due = decision { try transaction.requestProof(of: cluster.id) }
    }
}
