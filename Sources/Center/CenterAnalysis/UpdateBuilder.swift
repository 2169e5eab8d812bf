// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import SignatureProving
import Signatures

/// Builds the update of a cluster's signature: its revision, context and lifetime.
struct UpdateBuilder {
    var lifetimeDays: Int
    var nowMilliseconds: Int64

    /// - Parameters:
    ///   - latest: the latest update of the same signature; `nil`: there is none.
    ///   - older: the updates of other signatures whose place it takes.
    /// - Returns: `nil` when the latest update still serves.
    func update(
        of proven: ProvenSignature, in cluster: Cluster, after latest: UpdateDecision.Latest?, revising older: [SignatureUpdate] = []
    ) -> SignatureUpdate? {
        let standing = latest.flatMap { $0.state == .standing ? [$0.update] : nil } ?? []
        // An update in force has to look wherever those looked whose place it takes.
        let places = places(of: proven, after: latest)
        let needed = context(in: cluster, searchedIn: places, revising: older)
        guard let revision = revision(after: latest, context: needed) else { return nil }
        return update(of: proven, context: context(in: cluster, searchedIn: places, revising: standing + older), revision: revision)
    }

    /// The context of an update: that of every packet of the cluster, also those that this proof was not made with, and of the
    /// updates in force whose place it takes. A later revision never looks for an attack in fewer places.
    ///
    /// - Parameter places: where within the cluster's traffic an engine sees the signature.
    func context(
        in cluster: Cluster, searchedIn places: Set<ProtocolBuffer?>, revising older: [SignatureUpdate]
    ) -> SignatureContext {
        older.reduce(cluster.signature.context.searched(in: places)) { $0.merged(with: $1.signature.context) }
    }

    /// Where an engine sees the signature. Where no capture shows that, it is searched where it was before.
    private func places(of proven: ProvenSignature, after latest: UpdateDecision.Latest?) -> Set<ProtocolBuffer?> {
        guard let latest, latest.state == .standing, proven.proof.check(.onTheWire)?.outcome != .passed else {
            return proven.signature.context.buffers
        }
        return latest.update.signature.context.buffers
    }

    /// The record of a signature that failed its proof.
    ///
    /// - Parameter latest: the latest update of the same signature; `nil`: there is none.
    /// - Returns: `nil` when a proven update of it exists; then only the attempt to improve it failed.
    func unproven(_ failed: ProvenSignature, in cluster: Cluster, after latest: UpdateDecision.Latest?) -> SignatureUpdate? {
        let context = cluster.signature.context
        guard let latest else { return update(of: failed, context: context, revision: 1) }
        guard latest.state == .unproven else { return nil }
        var update = latest.update
        (update.signature, update.proof) = (failed.signature, failed.proof)
        update.signature.context = context
        return update
    }

    private func revision(after latest: UpdateDecision.Latest?, context: SignatureContext) -> Int? {
        // A signature that failed before is proven now: with more packets, or with an index that was missing.
        if let latest, latest.state == .unproven { return latest.update.revision + 1 }
        guard case .make(let revision) = UpdateDecision(latest: latest, context: context, nowMilliseconds: nowMilliseconds)
        else { return nil }
        return revision
    }

    private func update(of item: ProvenSignature, context: SignatureContext, revision: Int) -> SignatureUpdate {
        var signature = item.signature
        signature.context = context
        return SignatureUpdate(
            signature: signature, revision: revision, origin: .site, createdMilliseconds: nowMilliseconds,
            lifetimeDays: lifetimeDays, proof: item.proof)
    }
}
