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
        guard try !transaction.evidenceKinds(of: cluster).isSubset(of: forwarded) else { return }
        let candidates = try transaction.forwardCandidates(of: cluster, after: start, limit: Self.maxCandidates)
        for chosen in ForwardDecision.choose(from: candidates, forwarded: forwarded) {
            try transaction.addForward(chosen, of: cluster)
        }
    }
}
