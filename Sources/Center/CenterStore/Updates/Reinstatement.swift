// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import Signatures

/// Undoing a withdrawal.
extension CenterStore {
    /// Lifts a signature's withdrawal on behalf of a person, with those of its revisions that came of it. What the withdrawal took out
    /// of force is put back at once, as a new revision, within its lifetime; and the packets that the center holds of the attack are
    /// asked for signatures again.
    ///
    /// A withdrawal by the global center can be lifted here, too: it doesn't come again when the feed is read anew.
    ///
    /// - Parameter person: who does it, for the audit trail.
    /// - Throws: `signature-unknown` when the signature is not withdrawn.
    public func reinstate(signatureID: String, by person: String? = nil) async throws(EpitopeError) {
        let store = actor == .center ? person.map { acting(as: .person(user: $0)) } ?? self : self
        _ = try await store.perform(.reinstate(signatureID: signatureID))
    }
}

extension StoreTransaction {
    func reinstate(_ signatureID: String) throws -> ActionOutcome {
        guard try withdrawalReason(of: signatureID) != nil else {
            throw CenterStore.unknown("signature \(signatureID) is not withdrawn here")
        }
        try db.execute(
            sql: """
                INSERT INTO overruled (mark) SELECT feed_mark FROM withdrawals
                WHERE signature_id = ? AND feed_mark IS NOT NULL ON CONFLICT DO NOTHING
                """,
            arguments: [signatureID])
        let lifted = try liftWithdrawals("signature_id = ?1 OR because_of = ?1", arguments: [signatureID])
        // A person wants them: they wait for nobody.
        for signature in lifted { try addApproval(of: signature) }
        try restore(lifted, of: nil, detail: actor.personName.map { "by \($0)" })
        var outcome = ActionOutcome()
        outcome.released = lifted
        return outcome
    }

    /// Lifts the global center's withdrawal of a signature that it has published again. A person's withdrawal stays. The site's own
    /// updates are put back in force; the global center's come with its feed.
    public func liftGlobalWithdrawal(of signatureID: String) throws {
        let lifted = try liftWithdrawals(
            "feed_mark IS NOT NULL AND (signature_id = ?1 OR because_of = ?1)", arguments: [signatureID])
        try restore(lifted, of: .site, detail: "the global center published it again")
    }

    fileprivate func liftWithdrawals(_ condition: String, arguments: StoreArguments) throws -> [String] {
        try String.fetchAll(db, sql: "DELETE FROM withdrawals WHERE \(condition) RETURNING signature_id", arguments: arguments)
    }

    /// An update that a withdrawal took out of force.
    private struct Withdrawn {
        var id: Int64
        var rule: Int64
        var cluster: Int64?
        var origin: UpdateOrigin?
        var state: UpdateState
        var replacedBy: Int64?
        var update: SignatureUpdate

        init(_ row: Row, nowMilliseconds: Int64) throws {
            (id, rule, cluster, replacedBy) = (row["id"], row["rule_id"], row["cluster_id"], row["replaced_by"])
            origin = UpdateOrigin(rawValue: row["origin"])
            update = try RowCoding.value(SignatureUpdate.self, row["body"])
            // Earlier versions didn't keep the state; and what the global center sent meanwhile has none.
            let before = (row["withdrawn_from"] as String?).flatMap(UpdateState.init) ?? (update.proof.passed ? .proven : .unproven)
            state = (row["expires_ms"] as Int64) <= nowMilliseconds && before != .unproven ? .expired : before
        }
    }

    /// Puts updates back that were withdrawn: what was in force is so again, as a new revision.
    ///
    /// - Parameter origin: only those of that origin go live; `nil`: all.
    fileprivate func restore(_ signatures: [String], of origin: UpdateOrigin?, detail: String?) throws {
        var items: [Withdrawn] = []
        for signature in signatures {
            items += try Row.fetchAll(
                db,
                sql: """
                    SELECT id, rule_id, cluster_id, origin, replaced_by, withdrawn_from, body, expires_ms FROM updates
                    WHERE signature_id = ? AND state = \(UpdateState.withdrawn.sql)
                    """,
                arguments: [signature]
            ).compactMap { try? Withdrawn($0, nowMilliseconds: nowMilliseconds) }
        }
        items.sort { $0.id < $1.id }
        let standing = items.filter { $0.state == .proven && (origin == nil || $0.origin == origin) }
        // Of several updates of one rule, or of one that was to take another's place, the last serves.
        let last = Dictionary(standing.map { ($0.rule, $0.id) }) { _, later in later }
        let live = standing.filter { item in
            last[item.rule] == item.id && !standing.contains { $0.id == item.replacedBy }
        }
        for item in items {
            let state = item.state == .proven ? .superseded : item.state
            try db.execute(
                sql: "UPDATE updates SET state = ?, reason = ?, withdrawn_from = NULL WHERE id = ?",
                arguments: [state.rawValue, state == .expired ? CenterStore.expiryReason : nil, item.id])
        }
        let end = detail.map { " (\($0))" } ?? ""
        for item in live {
            let revision = try putBack(item)
            try record(.reinstated, item.update.signature.id, "in force again, as revision \(revision)\(end)")
        }
        for signature in signatures where !live.contains(where: { $0.update.signature.id == signature }) {
            try record(.reinstated, signature, "updates of it are made again\(end)")
        }
        // What came in meanwhile may need signatures of its own.
        let clusters = Set(items.compactMap(\.cluster)).sorted()
        for cluster in clusters where try !isProofPending(of: cluster) { try requestProof(of: cluster) }
    }

    /// Stores an update once more, as the next revision of its rule, and delivers it whatever is left of the day's quota: a person wants
    /// it.
    private func putBack(_ item: Withdrawn) throws -> Int {
        var update = item.update
        update.revision = try nextRevision(of: update.signature.id, in: item.rule)
        let targets = try Row.fetchAll(db, sql: "SELECT target, state FROM deliveries WHERE update_id = ?", arguments: [item.id])
        var deliveries = Dictionary(
            targets.compactMap { row in
                DeliveryTarget(rawValue: row["target"]).map { ($0, DeliveryState(rawValue: row["state"])) }
            }
        ) { first, _ in first }
        let isPublished = deliveries[.feed] != nil
        if isPublished || deliveries[.ids] != nil || item.origin == .global {
            // Its number may have gone to another rule meanwhile.
            _ = try assignSID(toRule: item.rule, of: update.signature.id, isPublished: isPublished || item.origin == .global)
        }
        if isPublished {
            update = try publish(update, revising: [])
        } else if item.origin == .global {
            // It had none where it came while the signature was withdrawn.
            deliveries[.ids] = .some(nil)
            try db.execute(sql: "UPDATE updates SET sequence = NULL WHERE id = ?", arguments: [item.id])
        }
        let id = try add(update, of: item.cluster, rule: item.rule, state: .proven, reason: nil)
        if deliveries[.ids] != nil {
            try db.execute(sql: "UPDATE updates SET replaced_by = ? WHERE id = ?", arguments: [id, item.id])
            try addDelivery(of: id, to: .ids)
            let delivery = try Int64.fetchOne(
                db,
                sql: """
                    SELECT id FROM deliveries WHERE update_id = ? AND target = \(DeliveryTarget.ids.sql)
                      AND state IN \(DeliveryState.underWay.sql)
                    """, arguments: [id])
            if let delivery {
                try use(QuotaKind(target: .ids, isGlobalUpdate: item.origin == .global), for: .delivery(delivery))
                try db.execute(
                    sql: "UPDATE deliveries SET state = \(DeliveryState.pending.sql) WHERE id = ?", arguments: [delivery])
            }
        }
        if isPublished { try addDelivery(of: id, to: .feed, state: .delivered) }
        if let state = deliveries[.global], state != .delivered { try addDelivery(of: id, to: .global) }
        try supersede(by: id)
        return update.revision
    }
}
