// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import Signatures

/// Schedules the packets of a cluster that are to go to the global center.
struct ForwardScheduler {
    /// The number of packets that are considered, the newest.
    private static let maxCandidates = 256

    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    /// - Parameter sum: the evidence that reached the threshold, the cluster's or the site's; `nil`: it is below.
    func schedule(for cluster: Int64, concludedFrom sum: EvidenceSum?) throws {
        switch policy.forwards {
        case .never: return
        case .reached: guard sum != nil else { return }
        case .all: break
        }
        let kinds = sum.map { ForwardDecision.conclusion(points: $0.points) } ?? []
        let start = policy.threshold.windowStart(nowMilliseconds: transaction.nowMilliseconds)
        let forwarded = try transaction.forwardedKinds(of: cluster, after: start)
        guard try !transaction.evidenceKinds(of: cluster).union(kinds).isSubset(of: forwarded), try !isShareUsed(by: cluster)
        else { return }
        let conclusion = try sum.map { try self.conclusion(of: cluster, from: $0) }
        let candidates = try transaction.forwardCandidates(of: cluster, after: start, limit: Self.maxCandidates)
        let chosen = ForwardDecision.choose(from: candidates, forwarded: forwarded, conclusion: kinds)
        for candidate in chosen { try transaction.addForward(candidate, of: cluster, conclusion: conclusion) }
        if chosen.isEmpty, let conclusion, !kinds.isSubset(of: forwarded) {
            try transaction.conclude(cluster, as: conclusion, kinds: kinds, after: start)
        }
    }

    /// What the site concludes for a cluster. Its grade may rise until it is sent.
    private func conclusion(of cluster: Int64, from sum: EvidenceSum) throws -> SiteConclusion {
        let reporters = try transaction.weight(of: cluster).sum.reporters
        return SiteConclusion(points: sum.points, hosts: sum.reporters, grade: EvidenceGrade(reporters: reporters, isOnTheWire: false))
    }

    /// Whether as much waits on the word of the cluster's only reporter as may: it is looked at again with the next report of it.
    private func isShareUsed(by cluster: Int64) throws -> Bool {
        guard let source = try transaction.weight(of: cluster).soleSource else { return false }
        let limit = policy.maxProofsOfReporter
        return try transaction.countQueued(for: .forwards, onWordOf: source, limit: limit) >= limit
    }
}
