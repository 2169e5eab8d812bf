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
    ///   - reporter: who reported now.
    func schedule(for cluster: Cluster, newest: [UInt8]?, reportedBy newReporter: String) throws {
        guard !policy.targets.isEmpty else { return }
        let progress = try transaction.proofProgress(of: cluster.id)
        // The other inputs cost several queries, and a burst of reports mostly finds its proof requested.
        guard progress != .pending else { return }
        let now = transaction.nowMilliseconds
        let decision = try ProofDecision(
            progress: progress, latest: try transaction.latestUpdates(of: cluster).map { $0.latest(nowMilliseconds: now) },
            context: cluster.signature.context, newest: newest, nowMilliseconds: now,
            packets: { try transaction.packetsSoFar(of: cluster.id) })
        guard case .due = decision else { return }
        if policy.needsIndependentSites,
            case .wait(let reason) = try transaction.publication(of: cluster.id, reportedBy: newReporter)
        {
            if try transaction.holdProof(of: cluster.id) { try transaction.record(.waiting, cluster.signature.id, reason) }
            return
        }
        let source = try transaction.weight(of: cluster.id).soleSource
        if progress == .never, let source, try isShareUsed(by: source) {
            return try transaction.record(
                .quotaExceeded, cluster.signature.id,
                "\(policy.maxProofsOfReporter) attacks on the word of \(source.reporter) alone are proven; this one waits for another's")
        }
        try transaction.requestProof(of: cluster.id, soleSource: source)
    }

    private func isShareUsed(by source: ReportSource) throws -> Bool {
        let limit = policy.maxProofsOfReporter
        return try transaction.countProofs(onWordOf: source, limit: limit) >= limit
    }
}
