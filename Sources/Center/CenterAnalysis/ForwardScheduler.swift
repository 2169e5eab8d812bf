// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation

/// Schedules the packets of a cluster that are to go to the global center.
struct ForwardScheduler {
    /// The number of packets that are considered, the newest.
    private static let maxCandidates = 256

    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    func schedule(for cluster: Int64, isThresholdReached: Bool) throws {
        switch policy.forwards {
        case .never: return
        case .reached: guard isThresholdReached else { return }
        case .all: break
        }
        let start = policy.threshold.windowStart(nowMilliseconds: transaction.nowMilliseconds)
        let forwarded = try transaction.forwardedKinds(of: cluster, after: start)
        guard try !transaction.evidenceKinds(of: cluster).isSubset(of: forwarded), try !isShareUsed(by: cluster) else { return }
        let candidates = try transaction.forwardCandidates(of: cluster, after: start, limit: Self.maxCandidates)
        for chosen in ForwardDecision.choose(from: candidates, forwarded: forwarded) {
            try transaction.addForward(chosen, of: cluster)
        }
    }

    /// Whether as much waits on the word of the cluster's only reporter as may: it is looked at again with the next report of it.
    private func isShareUsed(by cluster: Int64) throws -> Bool {
        guard let source = try transaction.weight(of: cluster).soleSource else { return false }
        let limit = policy.maxProofsOfReporter
        return try transaction.countQueued(for: .forwards, onWordOf: source, limit: limit) >= limit
    }
}
