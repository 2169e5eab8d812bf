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
    /// - Parameters:
    ///   - supporters: who speaks for its signature.
    ///   - peers: how many other sites told this one of the signature.
    ///   - standing: updates in force whose place it takes. What they rested on still holds, though captures that showed it are gone.
    func support(
        of cluster: Int64, by supporters: Supporters, peers: Int = 0, proof: Proof, after standing: [SignatureUpdate] = []
    ) throws -> EvidenceSupport {
        let weight = try transaction.weight(of: cluster)
        // A proof is made with the packets of so many at most; beyond those that decide, the others count for the eye.
        let isShown = supporters.isWhole && supporters.reporters.count >= EvidenceGrade.reportersOfConfirmed
        let reporters = isShown ? max(weight.reporters, supporters.reporters.count) : supporters.reporters.count + peers
        let independent =
            policy.countsMachines ? reporters : try transaction.independentReporters(of: cluster, among: supporters.senders)
        let now = EvidenceGrade(reporters: independent, isOnTheWire: proof.isOnTheWire)
        let grade = standing.compactMap(\.support?.grade).reduce(now, max)
        let isEnough = grade >= policy.dropsFrom
        // Where one site's hosts are is nothing for the others' rules, nor for their eyes.
        let narrowedTo = NarrowingDecision.addresses(
            grade: grade, isEnoughToDrop: isEnough, sources: policy.countsMachines ? supporters.sources : [])
        return EvidenceSupport(
            grade: grade, reporters: reporters, points: weight.sum.points, threshold: policy.threshold.points,
            packets: try transaction.newestPacketIDs(of: cluster, limit: Self.maxPackets), isEnoughToDrop: isEnough,
            narrowedTo: narrowedTo)
    }

    /// Raises the grade of the cluster's updates in force, where more is known by now: others speak for their signatures, too, or
    /// captures have the code. Where the setting `dropFrom` is another one by now, they follow it.
    func raise(by completed: CompletedVerification, of cluster: Cluster) throws {
        for stored in try transaction.latestUpdates(of: cluster) where stored.state == .proven && stored.cluster == cluster.id {
            guard let known = stored.update.support, known.grade < .confirmed else { continue }
            let id = stored.update.signature.id
            var update = stored.update
            if let later = completed.outcome.proven.first(where: { $0.signature.id == id })?.proof,
                later.isOnTheWire, !update.proof.isOnTheWire
            {
                update.proof = later
            }
            // An update that was made of what a peer said is this site's own word once its hosts say the same.
            if policy.tellsPeers, !completed.supporters(of: id).senders.isEmpty { try transaction.tellPeersOnce(update, number: stored.id) }
            let support = try support(
                of: cluster.id, by: completed.supporters(of: id), peers: peers(speakingFor: id, in: cluster), proof: update.proof,
                after: [stored.update])
            guard support.grade > known.grade || support.isEnoughToDrop != known.isEnoughToDrop else { continue }
            update.support = support
            try transaction.replaceProof(of: stored.id, with: update)
            try transaction.record(.graded, id, "revision \(update.revision): \(support.summary)")
        }
    }

    /// How many other sites told this one of a signature, each a reporter more: of what a cluster began with, they have all said the same.
    func peers(speakingFor signatureID: String, in cluster: Cluster) throws -> Int {
        guard policy.countsMachines, signatureID == cluster.signature.id else { return 0 }
        return try transaction.reportersOfUpdates(of: cluster.id).count
    }

    /// Whether updates of the cluster in force may rest on more after reporters joined.
    ///
    /// - Parameter reporters: how many there are.
    func isLookDue(at cluster: Cluster, reporters: Int) throws -> Bool {
        guard Self.isLookDue(reporters) else { return false }
        return try transaction.latestUpdates(of: cluster).contains { stored in
            stored.state == .proven && stored.cluster == cluster.id && stored.update.support.map { $0.grade < .confirmed } ?? false
        }
    }

    /// Each of the first that join may be the one who is missing; when many have, twice as many may show more.
    private static func isLookDue(_ reporters: Int) -> Bool {
        reporters > 1 && (reporters <= 4 * EvidenceGrade.reportersOfConfirmed || reporters.nonzeroBitCount == 1)
    }
}

extension Proof {
    fileprivate var isOnTheWire: Bool { check(.onTheWire)?.outcome == .passed }
}
