// SPDX-License-Identifier: Apache-2.0

internal import Correlation
import EpitopeModel
internal import FoundationEssentials
internal import GRDB
internal import SignatureProving
internal import Signatures

/// Makes the updates of a cluster whose signatures were made and proven: numbers them, and lays out where they are to
/// go.
struct UpdateBuilder {
    let db: Database
    let policy: AnalysisPolicy
    let clock: CenterClock
    private var now: Int64 { clock.nowMilliseconds }

    /// Keeps what came of a proof. Run again on the same outcome it makes nothing new.
    func keep(_ outcome: ProvingOutcome, of cluster: Cluster) throws {
        guard !policy.targets.isEmpty, try !ProofScheduler.isWithdrawn(cluster, db: db) else { return }
        for item in outcome.proven { try keep(item, of: cluster) }
        if outcome.proven.isEmpty, let failed = outcome.failed { try keepFailed(failed, of: cluster) }
    }

    private func keep(_ item: ProvenSignature, of cluster: Cluster) throws {
        var signature = item.signature
        // Every packet of the cluster speaks for the context, also those that this proof was not made with.
        signature.context = cluster.signature.context
        let latest = try latest(of: signature.id)
        guard let revision = revision(after: latest, context: signature.context) else { return }
        if let latest, latest.state == .standing {
            // A later revision never seeks an attack in fewer places than the one it replaces.
            signature.context = signature.context.merged(with: latest.update.signature.context)
        }
        var update = update(of: signature, revision: revision, proof: item.proof)
        if policy.targets.contains(.feed) { try publish(&update) }
        let reason = policy.targets.contains(.ids) ? try SIDAllocator.refusal(of: signature.id, db: db) : nil
        let id = try db.insert(update, cluster: cluster.id, state: reason == nil ? .proven : .unproven, reason: reason)
        let name = "revision \(revision)"
        if let reason { return try note(.unproven, signature.id, "\(name): \(reason)") }
        try note(.proven, signature.id, "\(name): \(update.proof.summary)")
        try db.supersede(signature.id, before: id, nowMilliseconds: now)
        for target in policy.targets.sorted(by: { $0.rawValue < $1.rawValue }) {
            try db.addDelivery(of: id, to: target, state: target == .feed ? .delivered : .pending, nowMilliseconds: now)
        }
    }

    /// Shows why nothing is delivered. A signature that stands stays so: what failed is the attempt to do better.
    private func keepFailed(_ item: ProvenSignature, of cluster: Cluster) throws {
        var signature = item.signature
        signature.context = cluster.signature.context
        let row = try UpdateRow.latest(of: signature.id, db: db)
        let reason = item.proof.failures ?? "nothing was checked"
        guard let row else {
            let update = update(of: signature, revision: 1, proof: item.proof)
            _ = try db.insert(update, cluster: cluster.id, state: .unproven, reason: reason)
            return try note(.unproven, signature.id, "revision 1: \(reason)")
        }
        guard row.state == .unproven else { return }
        var update = row.update
        (update.signature, update.proof) = (signature, item.proof)
        try db.execute(
            sql: "UPDATE updates SET body = ?, reason = ? WHERE id = ?",
            arguments: [try RowCoding.json(update), reason, row.id])
        if row.update.proof.failures != reason { try note(.unproven, signature.id, "revision \(update.revision): \(reason)") }
    }

    private func revision(after latest: UpdateDecision.Latest?, context: SignatureContext) -> Int? {
        // What failed before is proven now: with more packets, or with an index that was not there.
        if let latest, latest.state == .unproven { return latest.update.revision + 1 }
        guard case .make(let revision) = UpdateDecision(latest: latest, context: context, nowMilliseconds: now) else { return nil }
        return revision
    }

    private func latest(of signatureID: String) throws -> UpdateDecision.Latest? {
        try UpdateRow.latest(of: signatureID, db: db).map {
            UpdateDecision.Latest(update: $0.update, state: try $0.latestState(db: db, nowMilliseconds: now))
        }
    }

    private func update(of signature: Signature, revision: Int, proof: Proof) -> SignatureUpdate {
        SignatureUpdate(
            signature: signature, revision: revision, origin: .site, createdMilliseconds: now,
            lifetimeDays: policy.lifetimeDays, proof: proof)
    }

    private func publish(_ update: inout SignatureUpdate) throws {
        try db.execute(sql: "INSERT INTO feed (body) VALUES ('')")
        let sequence = db.lastInsertedRowID
        update.origin = .global(sequence: sequence)
        try db.execute(
            sql: "UPDATE feed SET body = ? WHERE sequence = ?", arguments: [try RowCoding.json(update), sequence])
        try note(.published, update.signature.id, "sequence \(sequence), revision \(update.revision)")
    }

    private func note(_ step: CenterEvent.Step, _ subject: String, _ detail: String) throws {
        try db.record(step, subject, detail, at: clock.preciseMilliseconds())
    }
}

extension Proof {
    /// Every check with its outcome, for a person.
    var summary: String {
        checks.map { check in
            let outcome = check.outcome == .passed ? "" : check.outcome == .failed ? "FAILED: " : "not checked: "
            return "\(check.name): \(outcome)\(check.detail)"
        }.joined(separator: "; ")
    }

    /// The checks that failed, for a person; `nil` when the proof passed.
    var failures: String? {
        if passed { return nil }
        let failed = checks.filter { $0.outcome == .failed }.map { "\($0.name): \($0.detail)" }.joined(separator: "; ")
        return failed.isEmpty ? "nothing was checked" : failed
    }
}

extension Database {
    func insert(_ update: SignatureUpdate, cluster: Int64?, state: UpdateState, reason: String?) throws -> Int64 {
        let (origin, sequence): (String, Int64?) =
            switch update.origin {
            case .site: ("site", nil)
            case .global(let sequence): ("global", sequence)
            }
        try execute(
            sql: """
                INSERT INTO updates
                  (signature_id, revision, origin, sequence, cluster_id, body, state, reason, created_ms, expires_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                update.signature.id, update.revision, origin, sequence, cluster, try RowCoding.json(update),
                state.rawValue, reason, update.createdMilliseconds, update.expiresMilliseconds,
            ])
        return lastInsertedRowID
    }

    func addDelivery(
        of update: Int64, to target: DeliveryTarget, state: DeliveryState, nowMilliseconds: Int64
    ) throws {
        try execute(
            sql: "INSERT INTO deliveries (update_id, target, state, changed_ms) VALUES (?, ?, ?, ?)",
            arguments: [update, target.rawValue, state.rawValue, nowMilliseconds])
    }

    /// Calls off what is still on its way of a signature's earlier updates, and gives its quota back. An earlier
    /// update that is in force stays so until the later one is.
    func supersede(_ signatureID: String, before update: Int64, nowMilliseconds: Int64) throws {
        let earlier = "SELECT id FROM updates WHERE signature_id = ? AND id < ? AND state = 'proven'"
        try execute(
            sql: """
                DELETE FROM quota_uses WHERE subject IN (
                  SELECT 'delivery ' || id FROM deliveries
                  WHERE update_id IN (\(earlier)) AND state IN ('pending', 'waiting-quota'))
                """,
            arguments: [signatureID, update])
        try execute(
            sql: """
                UPDATE deliveries SET state = 'superseded', changed_ms = ?
                WHERE update_id IN (\(earlier)) AND state IN ('pending', 'waiting-quota')
                """,
            arguments: [nowMilliseconds, signatureID, update])
        try execute(
            sql: """
                UPDATE updates SET state = 'superseded' WHERE id IN (\(earlier)) AND NOT EXISTS (
                  SELECT 1 FROM deliveries WHERE update_id = updates.id AND target = 'ids' AND state = 'delivered')
                """,
            arguments: [signatureID, update])
    }
}
