// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureMaking
import SignatureProving
import Signatures

/// Stores the updates that a proof yields, and schedules their deliveries.
struct DeliveryScheduler {
    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    private var builder: UpdateBuilder {
        UpdateBuilder(lifetimeDays: policy.lifetimeDays, nowMilliseconds: transaction.nowMilliseconds)
    }

    /// What signatures of a cluster wait for before they are published.
    struct Waits {
        var isForSupporters = false
        /// The first claim that the day's quota has no place for.
        var claim: PublicationClaim?
    }

    /// Run again on the same outcome this adds nothing.
    ///
    func schedule(_ completed: CompletedVerification, of cluster: Cluster) throws -> Waits {
        var waits = Waits()
        guard !policy.targets.isEmpty else { return waits }
        let standing = try transaction.latestUpdates(of: cluster).filter { $0.state == .proven }
        let pinned = try Set(standing.map(\.update.signature.id).filter { try transaction.isPinned($0) })
        for (item, revised) in zip(completed.outcome.proven, completed.revised) {
            // Withdrawn since: that binds the signature, and no other of the cluster.
            guard try transaction.withdrawalReason(of: item.signature.id) == nil else { continue }
            if let reason = try transaction.allowance(forbidding: item.signature, of: cluster.id) {
                try transaction.record(.unproven, item.signature.id, reason)
                continue
            }
            if case .wait(let reason) = try publication(of: item.signature, in: cluster, completed) {
                try transaction.record(.waiting, item.signature.id, reason)
                waits.isForSupporters = true
                continue
            }
            // Read again: they may have ended since.
            let refused = try schedule(
                item, of: cluster, by: completed.supporters(of: item.signature.id),
                revising: standing.filter { revised.contains($0.id) && !pinned.contains($0.update.signature.id) })
            waits.claim = waits.claim ?? refused
        }
        try GradeKeeper(transaction: transaction, policy: policy).raise(by: completed, of: cluster)
        if completed.outcome.proven.isEmpty, let failed = completed.outcome.failed { try storeUnproven(failed, of: cluster) }
        return waits
    }

    /// Whether a signature may be published, by those who speak for it.
    private func publication(
        of signature: Signature, in cluster: Cluster, _ completed: CompletedVerification
    ) throws -> PublicationDecision {
        guard policy.needsIndependentSites else { return .publish }
        var supporters = completed.supporters(of: signature.id).senders
        if completed.task.samples.isEmpty || signature.id == cluster.signature.id {
            supporters.formUnion(try transaction.reportersOfUpdates(of: cluster.id))
        }
        return try transaction.publication(of: cluster.id, supportedBy: supporters)
    }

    /// - Returns: the claim that the day's quota of publications has no place for; `nil`: it doesn't wait for one.
    private func schedule(
        _ item: ProvenSignature, of cluster: Cluster, by supporters: Supporters, revising older: [StoredUpdate]
    ) throws -> PublicationClaim? {
        let latest = try transaction.latestUpdate(of: item.signature.id)
        let known = latest?.latest(nowMilliseconds: transaction.nowMilliseconds)
        if let update = builder.update(of: item, in: cluster, after: known, revising: older.map(\.update)) {
            let claim = try policy.publicationsADay.map { limit in
                try transaction.publicationClaim(of: cluster.id, supportedBy: supporters.senders, limit: limit)
            }
            if let claim, !claim.isAdmitted {
                try transaction.record(.quotaExceeded, item.signature.id, claim.refusal)
                return claim
            }
            let id = try schedule(update, of: cluster, by: supporters, after: latest, revising: older)
            if let claim, let id { try transaction.usePublication(claim, for: id) }
        } else if let latest, known?.state == .standing, !older.isEmpty {
            try transaction.replace(older, by: latest.id)
            try transaction.supersede(by: latest.id)
        }
        return nil
    }

    /// - Returns: the update's number in the store; `nil`: there is no number for its rule.
    private func schedule(
        _ built: SignatureUpdate, of cluster: Cluster, by supporters: Supporters, after latest: StoredUpdate?,
        revising older: [StoredUpdate]
    ) throws -> Int64? {
        let signatureID = built.signature.id
        let rule = try transaction.rule(of: signatureID, after: latest, revising: older)
        var update = built
        let standing = (latest.map { $0.state == .proven ? [$0] : [] } ?? []) + older
        let keeper = GradeKeeper(transaction: transaction, policy: policy)
        update.support = try keeper.support(
            of: cluster.id, by: supporters, peers: keeper.peers(speakingFor: signatureID, in: cluster), proof: update.proof,
            after: standing.map(\.update))
        update.revision = max(update.revision, try transaction.nextRevision(of: signatureID, in: rule))
        // Without a rule number there is no rule; the update is kept with the reason.
        let isPublished = policy.targets.contains(.feed)
        let refusal =
            isPublished || policy.targets.contains(.ids)
            ? try transaction.assignSID(toRule: rule, of: signatureID, isPublished: isPublished) : nil
        if isPublished, refusal == nil { update = try transaction.publish(update, revising: older) }
        let id = try transaction.add(
            update, of: cluster.id, rule: rule, state: refusal == nil ? .proven : .unproven, reason: refusal)
        let name = "revision \(update.revision)"
        if let refusal {
            try transaction.record(.unproven, signatureID, "\(name): \(refusal)")
            return nil
        }
        let revised = older.isEmpty ? "" : ", in place of \(older.map(\.update.signature.id).joined(separator: " and "))"
        try transaction.record(.proven, signatureID, "\(name)\(revised): \(update.proof.summary)")
        try transaction.replace(older, by: id)
        // What peers alone say is not said on: it would come back, or reach the world, as this site's own word.
        let isOwn = !supporters.senders.isEmpty
        for target in policy.targets.sorted(by: { $0.rawValue < $1.rawValue }) where target != .global || isOwn {
            try transaction.addDelivery(of: id, to: target, state: target == .feed ? .delivered : .pending)
        }
        if policy.tellsPeers, isOwn { try transaction.tellPeers(update, number: id) }
        try transaction.supersede(by: id)
        return id
    }

    /// Stores why no update is delivered. An update in force stays in force.
    private func storeUnproven(_ failed: ProvenSignature, of cluster: Cluster) throws {
        let latest = try transaction.latestUpdate(of: failed.signature.id)
        guard
            let update = builder.unproven(failed, in: cluster, after: latest?.latest(nowMilliseconds: transaction.nowMilliseconds))
        else { return }
        let reason = failed.proof.failures ?? "nothing was checked"
        if let latest {
            try transaction.replace(latest.id, with: update, reason: reason)
            guard latest.update.proof.failures != reason else { return }
        } else {
            let rule = try transaction.rule(for: update.signature.id)
            _ = try transaction.add(update, of: cluster.id, rule: rule, state: .unproven, reason: reason)
        }
        try transaction.record(.unproven, update.signature.id, "revision \(update.revision): \(reason)")
    }
}

extension StoreTransaction {
    /// The rule that a signature's next update is a revision of: its own while that is in force; else that of the oldest update
    /// whose place it takes; else one of its own.
    ///
    /// - Parameter latest: the latest update of the signature.
    func rule(of signatureID: String, after latest: StoredUpdate?, revising older: [StoredUpdate]) throws -> Int64 {
        if let latest, latest.state == .proven { return latest.rule }
        return try older.min { $0.id < $1.id }?.rule ?? rule(for: signatureID)
    }
}
