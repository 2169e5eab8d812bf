internal import Correlation
import EpitopeModel
internal import FoundationEssentials
internal import GRDB
internal import Signatures

/// Makes the update of a cluster that reached the threshold: proves the signature, numbers it, and lays out where it
/// is to go.
struct UpdateMaking {
    /// The most packets of a cluster that a proof is made with, the newest first. Every packet was matched with the
    /// cluster's signature when it joined, so the proof shows again what held then.
    private static let mostSamples = 256

    private let analysis: ReportAnalysis
    private var db: Database { analysis.db }
    private var now: Int64 { analysis.clock.nowMilliseconds }

    init(_ analysis: ReportAnalysis) {
        self.analysis = analysis
    }

    func makeUpdate(for cluster: Cluster) throws {
        guard !analysis.policy.targets.isEmpty, try !isWithdrawn(cluster.signature.id) else { return }
        let latest = try UpdateRow.latest(of: cluster.signature.id, db: db).map {
            UpdateDecision.Latest(
                update: $0.update, state: try $0.latestState(db: db, nowMilliseconds: now))
        }
        let decision = UpdateDecision(latest: latest, context: cluster.signature.context, nowMilliseconds: now)
        guard case .make(let revision) = decision else { return }
        var signature = cluster.signature
        if let latest, latest.state == .standing {
            // A later revision never seeks an attack in fewer places than the one it replaces.
            signature.context = signature.context.merged(with: latest.update.signature.context)
        }
        var update = SignatureUpdate(
            signature: signature, revision: revision, origin: .site, createdMilliseconds: now,
            lifetimeDays: analysis.policy.lifetimeDays,
            proof: SignatureCheck.proof(of: signature, samples: try samples(of: cluster.id)))
        if update.proof.passed, analysis.policy.targets.contains(.feed) {
            try publish(&update)
        }
        try keep(update, of: cluster.id)
    }

    private func keep(_ update: SignatureUpdate, of cluster: Int64) throws {
        let isForIDS = analysis.policy.targets.contains(.ids)
        let reason = try update.proof.failures ?? (isForIDS ? SidBook.refusal(of: update.signature.id, db: db) : nil)
        let id = try db.insert(
            update, cluster: cluster, state: reason == nil ? .proven : .unproven, reason: reason)
        let name = "revision \(update.revision)"
        if let reason {
            try analysis.note(.unproven, update.signature.id, "\(name): \(reason)")
            return
        }
        try analysis.note(
            .proven, update.signature.id,
            "\(name): " + update.proof.checks.map { "\($0.name): \($0.detail)" }.joined(separator: "; "))
        try db.supersede(update.signature.id, before: id, nowMilliseconds: now)
        for target in analysis.policy.targets.sorted(by: { $0.rawValue < $1.rawValue }) {
            try db.addDelivery(
                of: id, to: target, state: target == .feed ? .delivered : .pending, nowMilliseconds: now)
        }
    }

    private func publish(_ update: inout SignatureUpdate) throws {
        try db.execute(sql: "INSERT INTO feed (body) VALUES ('')")
        let sequence = db.lastInsertedRowID
        update.origin = .global(sequence: sequence)
        try db.execute(
            sql: "UPDATE feed SET body = ? WHERE sequence = ?", arguments: [try StoredForm.json(update), sequence])
        try analysis.note(.published, update.signature.id, "sequence \(sequence), revision \(update.revision)")
    }

    private func isWithdrawn(_ signatureID: String) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM withdrawals WHERE signature_id = ?)", arguments: [signatureID]) ?? false
    }

    /// `nil` for a cluster that no packet belongs to: sites sent updates only.
    private func samples(of cluster: Int64) throws -> [[UInt8]]? {
        let packets = try Data.fetchAll(
            db,
            sql: """
                SELECT packet FROM reports WHERE cluster_id = ? AND state = 'analysed' AND packet IS NOT NULL
                ORDER BY seq DESC LIMIT ?
                """,
            arguments: [cluster, Self.mostSamples])
        guard !packets.isEmpty else { return nil }
        return try packets.map { data in
            switch try StoredForm.decode(data).content {
            case .code(let code): code.bytes
            case .signature(let window): window
            }
        }
    }
}

extension Proof {
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
                update.signature.id, update.revision, origin, sequence, cluster, try StoredForm.json(update),
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
