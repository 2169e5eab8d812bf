// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import SignatureProving
import Signatures

/// Says of a cluster's updates what they rest on, and keeps that true while reporters join.
struct GradeKeeper {
    /// The packets that an update names.
    private static let maxPackets = 8

    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    /// What an update of the cluster rests on now.
    ///
    /// - Parameter standing: updates in force whose place it takes. What they rested on still holds, though captures that showed it
    ///   are gone.
    func support(of cluster: Int64, proof: Proof, after standing: [SignatureUpdate] = []) throws -> EvidenceSupport {
        let weight = try transaction.weight(of: cluster)
        let independent = policy.countsMachines ? weight.reporters : try transaction.independentReporters(of: cluster)
        let now = EvidenceGrade(reporters: independent, isOnTheWire: proof.check(.onTheWire)?.outcome == .passed)
        let grade = standing.compactMap(\.support?.grade).reduce(now, max)
        let isEnough = grade >= policy.dropsFrom
        // Where one site's hosts are is nothing for the others' rules, nor for their eyes.
        let sources = policy.countsMachines ? try transaction.newestSources(of: cluster, limit: Self.maxPackets) : []
        let narrowedTo = NarrowingDecision.addresses(grade: grade, isEnoughToDrop: isEnough, sources: sources)
        return EvidenceSupport(
            grade: grade, reporters: weight.reporters, points: weight.sum.points, threshold: policy.threshold.points,
            packets: try transaction.newestPacketIDs(of: cluster, limit: Self.maxPackets), isEnoughToDrop: isEnough,
            narrowedTo: narrowedTo)
    }

    /// Raises the grade of an update in force, after a later proof of its signature showed more: captures have the code by now.
    func raise(_ stored: StoredUpdate, by proof: Proof, of cluster: Int64) throws {
        guard stored.cluster == cluster, let known = stored.update.support else { return }
        let support = try support(of: cluster, proof: proof, after: [stored.update])
        guard support.grade > known.grade else { return }
        var update = stored.update
        (update.proof, update.support) = (proof, support)
        try transaction.replaceProof(of: stored.id, with: update)
        try transaction.record(.graded, update.signature.id, "revision \(update.revision): \(support.summary)")
    }

    /// Raises the grade of the cluster's updates in force, after reporters joined.
    ///
    /// - Parameters:
    ///   - before: how many there were.
    ///   - reporters: how many there are.
    func raise(for cluster: Cluster, from before: Int, to reporters: Int) throws {
        let isHigher = EvidenceGrade(reporters: reporters, isOnTheWire: false) > EvidenceGrade(reporters: before, isOnTheWire: false)
        // Where not every reporter is independent of the others, any further one may be the first that is.
        guard isHigher || !policy.countsMachines && reporters > before else { return }
        for stored in try transaction.latestUpdates(of: cluster) where stored.state == .proven && stored.cluster == cluster.id {
            guard let known = stored.update.support, known.grade < .confirmed else { continue }
            let support = try support(of: cluster.id, proof: stored.update.proof)
            guard support.grade > known.grade else { continue }
            var update = stored.update
            update.support = support
            try transaction.replaceProof(of: stored.id, with: update)
            try transaction.record(.graded, update.signature.id, "revision \(update.revision): \(support.summary)")
        }
    }
}
