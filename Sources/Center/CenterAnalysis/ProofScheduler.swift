// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import Signatures

/// Requests proofs of clusters that reached the threshold.
struct ProofScheduler {
    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    /// - Parameters:
    ///   - newest: the code of the packet that came in now; `nil`: the evidence came without one.
    ///   - newReporter: who reported now.
    ///   - number: its number among the cluster's reporters, if it joined them now.
    func schedule(for cluster: Cluster, newest: [UInt8]?, reportedBy newReporter: ReportSource, joinedAs number: Int? = nil) throws {
        guard !policy.targets.isEmpty else { return }
        let progress = try transaction.proofProgress(of: cluster.id)
        // The other inputs cost several queries, and a burst of reports mostly finds its proof requested.
        guard progress != .pending else { return }
        let now = transaction.nowMilliseconds
        let decision = try ProofDecision(
            progress: progress, latest: try transaction.latestUpdates(of: cluster).map { $0.latest(nowMilliseconds: now) },
            context: cluster.signature.context, newest: newest, nowMilliseconds: now,
            newReporter: number, ownPackets: { try ownPackets(of: newReporter, in: cluster.id) },
            packets: { try transaction.packetsSoFar(of: cluster.id) })
        guard case .due = decision else { return }
        // What waits for the quota was found fit to be published.
        let queued = try policy.publicationsADay.flatMap { _ in try transaction.reportersOfQueuedPublication(of: cluster.id) }
        if queued == nil, policy.needsIndependentSites,
            case .wait(let reason) = try transaction.publication(of: cluster.id, reportedBy: newReporter.reporter)
        {
            if try transaction.holdProof(of: cluster.id) { try transaction.record(.waiting, cluster.signature.id, reason) }
            return
        }
        let claim = try policy.publicationsADay.map { try transaction.earlyPublicationClaim(of: cluster.id, limit: $0) }
        // It goes out when there is a place; sooner only if more support it.
        if let queued, let claim, claim.reporters <= queued { return }
        let source = if let claim { claim.soleSource } else { try leastUsed(of: cluster.id, reportedBy: newReporter) }
        if progress == .never, queued == nil, let source, try usedShare(of: source) >= policy.maxProofsOfReporter {
            let others = try transaction.weight(of: cluster.id).reporters - 1
            return try transaction.record(
                .quotaExceeded, cluster.signature.id,
                "\(policy.maxProofsOfReporter) attacks on the word of \(source.reporter)"
                    + (others > 0 ? ", and of each other that reports it," : " alone") + " are proven; this one waits for another's")
        }
        if let claim {
            // It is proven when there is a place, which may be at once: what weighs most is first.
            let isNew = try transaction.holdProof(of: cluster.id, for: claim)
            if isNew, !claim.isAdmitted { try transaction.record(.quotaExceeded, cluster.signature.id, claim.refusal) }
            return
        }
        try transaction.requestProof(of: cluster.id, countedFor: source)
    }

    /// How many of a cluster's newest packets somebody sent; 0 where it has so many reporters that they are not told apart, or just that one.
    private func ownPackets(of source: ReportSource, in cluster: Int64) throws -> Int {
        guard (2...ProofDecision.maxVoices).contains(try transaction.weight(of: cluster).reporters) else { return 0 }
        return try policy.newestPackets(of: cluster, in: transaction)[source.holder] ?? 0
    }

    /// Has the proof of a cluster that somebody else reports now, too, count for that one, if fewer do.
    func share(_ cluster: Int64, with source: ReportSource) throws {
        guard let holder = try transaction.proofHolder(of: cluster), !holder.isSame(as: source),
            try usedShare(of: source) < usedShare(of: holder) - 1
        else { return }
        try transaction.count(proofOf: cluster, for: source)
    }

    /// Of those who report a cluster the one of whom the fewest attacks are proven. So several who report the same junk have no more
    /// proven than the shares of all of them, and what one reports of whom little is proven is proven at once, whoever else reports it.
    ///
    /// - Parameter newest: who reported now: it may be the one that was waited for.
    private func leastUsed(of cluster: Int64, reportedBy newest: ReportSource) throws -> ReportSource? {
        let sources = try transaction.isReported(cluster, by: newest) ? [newest] : []
        return try FairQuota.leastUsed(sources + transaction.sources(of: cluster)) { try usedShare(of: $0) }
    }

    /// How many attacks are proven, or are about to be, on the word of somebody; as far as that is less than a share.
    private func usedShare(of source: ReportSource) throws -> Int {
        let limit = policy.maxProofsOfReporter
        let proofs = try transaction.countProofs(onWordOf: source, limit: limit)
        guard proofs < limit, policy.publicationsADay != nil else { return proofs }
        return try proofs + transaction.countQueued(for: .publications, onWordOf: source, limit: limit)
    }
}
