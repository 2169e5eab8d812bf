// SPDX-License-Identifier: Apache-2.0

import CenterStore
import SignatureProving
import Signatures

/// Stores the updates that a proof yields, and schedules their deliveries.
struct DeliveryScheduler {
    let transaction: StoreTransaction
    let policy: AnalysisPolicy

    private var builder: UpdateBuilder {
        UpdateBuilder(lifetimeDays: policy.lifetimeDays, nowMilliseconds: transaction.nowMilliseconds)
    }

    /// Run again on the same outcome this adds nothing.
    func schedule(_ outcome: ProverResult, of cluster: Cluster) throws {
        guard !policy.targets.isEmpty, try !transaction.isWithdrawn(cluster) else { return }
        for item in outcome.proven {
            let latest = try transaction.latestUpdate(of: item.signature.id)?.latest(nowMilliseconds: transaction.nowMilliseconds)
            guard let update = builder.update(of: item, in: cluster, after: latest) else { continue }
            try schedule(update, of: cluster)
        }
        if outcome.proven.isEmpty, let failed = outcome.failed { try storeUnproven(failed, of: cluster) }
    }

    private func schedule(_ built: SignatureUpdate, of cluster: Cluster) throws {
        let update = policy.targets.contains(.feed) ? try transaction.publish(built) : built
        let signatureID = update.signature.id
        // Without a rule number there is no rule; the update is kept with the reason.
        let refusal = policy.targets.contains(.ids) ? try transaction.assignSID(to: signatureID) : nil
        let id = try transaction.add(update, of: cluster.id, state: refusal == nil ? .proven : .unproven, reason: refusal)
        let name = "revision \(update.revision)"
        if let refusal { return try transaction.record(.unproven, signatureID, "\(name): \(refusal)") }
        try transaction.record(.proven, signatureID, "\(name): \(update.proof.summary)")
        try transaction.supersede(signatureID, before: id)
        for target in policy.targets.sorted(by: { $0.rawValue < $1.rawValue }) {
            try transaction.addDelivery(of: id, to: target, state: target == .feed ? .delivered : .pending)
        }
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
            _ = try transaction.add(update, of: cluster.id, state: .unproven, reason: reason)
        }
        try transaction.record(.unproven, update.signature.id, "revision \(update.revision): \(reason)")
    }
}
