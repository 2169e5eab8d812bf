// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Signatures

/// An update that doesn't go out by itself, as a person needs it to decide.
public struct HeldUpdate: Hashable, Sendable, Codable {
    public var signatureID: String
    public var revision: Int
    /// `nil`: it is the global center's, or its packets are gone.
    public var cluster: Int64?
    public var sid: UInt32?
    /// `waiting-approval` or `observed`.
    public var state: DeliveryState
    public var reason: String
    public var sinceMilliseconds: Int64
    public var expiresMilliseconds: Int64
    public var update: SignatureUpdate
}

extension CenterStore {
    /// The updates that wait for a person, or are only observed, the oldest first.
    public func heldUpdates(
        _ states: Set<DeliveryState> = [.waitingApproval, .observed], limit: Int = 1000
    ) async throws(EpitopeError) -> [HeldUpdate] {
        try await snapshot { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT u.signature_id, u.revision, u.cluster_id, u.body, u.expires_ms, r.sid, d.state, d.reason, d.changed_ms
                    FROM updates u JOIN deliveries d ON d.id = (
                      SELECT min(h.id) FROM deliveries h WHERE h.update_id = u.id AND h.state IN \(DeliveryState.held.sql))
                    LEFT JOIN rules r ON r.id = u.rule_id WHERE u.state = \(UpdateState.proven.sql) ORDER BY u.id LIMIT ?
                    """, arguments: [limit]
            ).compactMap { row in
                guard let state = DeliveryState(rawValue: row["state"]), states.contains(state),
                    let update = try? RowCoding.value(SignatureUpdate.self, row["body"])
                else { return nil }
                return HeldUpdate(
                    signatureID: row["signature_id"], revision: row["revision"], cluster: row["cluster_id"], sid: row.sid, state: state,
                    reason: row["reason"] ?? "", sinceMilliseconds: row["changed_ms"], expiresMilliseconds: row["expires_ms"],
                    update: update)
            }
        }
    }
}

extension StoreTransaction {
    /// The numbers of a signature's updates that wait for a person.
    ///
    /// - Throws: `update-not-waiting`.
    private func waiting(_ signatureID: String) throws -> [Int64] {
        func found(_ state: DeliveryState) throws -> [Int64] {
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT u.id FROM updates u JOIN deliveries d ON d.update_id = u.id
                    WHERE u.signature_id = ? AND u.state = \(UpdateState.proven.sql) AND d.state = \(state.sql) ORDER BY u.id
                    """, arguments: [signatureID])
        }
        let waiting = try found(.waitingApproval)
        guard waiting.isEmpty else { return waiting }
        guard try found(.observed).isEmpty else {
            throw EpitopeError(
                .updateNotWaiting, "the update of signature \(signatureID) is only observed: by the settings nothing goes out",
                remedy: "set mode, or the exception in modes, to approve or automatic, and reload the settings")
        }
        throw EpitopeError(
            .updateNotWaiting, "no update of signature \(signatureID) waits for a person",
            remedy: "look up what waits in `updates --waiting`")
    }

    /// Lets an update go out on behalf of a person, whose word is as good as that of many hosts: it is confirmed.
    func approve(_ signatureID: String) throws -> ActionOutcome {
        let updates = try waiting(signatureID)
        try addApproval(of: signatureID)
        var forms: [String] = []
        for id in updates {
            guard let json = try String.fetchOne(db, sql: "SELECT body FROM updates WHERE id = ?", arguments: [id]) else { continue }
            var update = try RowCoding.value(SignatureUpdate.self, json)
            if var support = update.support {
                (support.grade, support.isEnoughToDrop, support.narrowedTo) = (.confirmed, true, nil)
                update.support = support
                try db.execute(sql: "UPDATE updates SET body = ? WHERE id = ?", arguments: [try RowCoding.json(update), id])
            }
            forms.append("revision \(update.revision), which \(update.mayDrop ? "may drop" : "alerts")")
            try release(try unfinished(of: id), of: id, isForPerson: true)
        }
        try record(.approved, signatureID, forms.joined(separator: "; "))
        var outcome = ActionOutcome()
        outcome.released = [signatureID]
        outcome.learned = ["later revisions of this signature don't wait for a person; other signatures of its attack do"]
        return outcome
    }

    func addApproval(of signatureID: String) throws {
        try db.execute(
            sql: "INSERT INTO approvals (signature_id, time_ms) VALUES (?, ?) ON CONFLICT (signature_id) DO NOTHING",
            arguments: [signatureID, nowMilliseconds])
    }

    /// Withdraws an update that waits.
    func reject(_ signatureID: String, reason: String) throws -> ActionOutcome {
        _ = try waiting(signatureID)
        try record(.rejected, signatureID, reason)
        return try withdrawForPerson([signatureID], reason: "rejected: \(reason)")
    }
}
