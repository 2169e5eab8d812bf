// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Signatures

/// Who withdrew a signature.
public enum WithdrawalAuthority: Hashable, Sendable {
    /// A person at this center.
    case person
    /// The global center, by the entry of its feed with this mark.
    case globalCenter(mark: UInt64)

    var feedMark: Int64? {
        if case .globalCenter(let mark) = self { Int64(bitPattern: mark) } else { nil }
    }

    fileprivate func named(_ reason: String) -> String {
        self == .person ? reason : "withdrawn by the global center: \(reason)"
    }
}

extension CenterStore {
    /// Withdraws a signature's updates on behalf of a person: its rules leave the IDS with the next rule set, every subscriber's as
    /// well, and no update of it is made or taken until ``reinstate(signatureID:by:)``. The same holds for the signatures that took
    /// its place, or are to: a withdrawn rule doesn't come back as a revision.
    ///
    /// - Parameter person: who does it, for the audit trail.
    /// - Throws: `signature-unknown` when no update of that signature was ever made or received here.
    public func withdraw(signatureID: String, reason: String, by person: String? = nil) async throws(EpitopeError) {
        let store = actor == .center ? person.map { acting(as: .person(user: $0)) } ?? self : self
        _ = try await store.perform(.withdraw(.signature(signatureID), reason: reason))
    }

    static func unknown(_ problem: String) -> EpitopeError {
        EpitopeError(.signatureUnknown, problem, remedy: "look up the signature's id and state in the center's status")
    }
}

extension StoreTransaction {
    /// Withdraws a signature, and those that took its place or are to. What a person here withdrew stays so, whatever the global
    /// center says.
    ///
    /// - Parameter name: the person, for the audit trail.
    public func withdraw(_ signatureID: String, reason: String, by authority: WithdrawalAuthority, name: String? = nil) throws {
        try withdraw(signatureID, reason: reason, by: authority, becauseOf: nil, name: name)
        for revision in try revisions(of: signatureID) { try withdrawRevision(revision, of: signatureID) }
    }

    /// Withdraws a signature as an entry of the global center's feed says, unless a person here overruled that very entry.
    public func withdraw(_ withdrawal: FeedEntry.Withdrawal, at position: FeedPosition) throws {
        let isOverruled = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM overruled WHERE mark = ?)", arguments: [Int64(bitPattern: position.mark)])
        guard isOverruled != true else { return }
        try withdraw(withdrawal.signatureID, reason: withdrawal.reason, by: .globalCenter(mark: position.mark))
    }

    func isKnown(_ signatureID: String) throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM updates WHERE signature_id = ?)", arguments: [signatureID]) ?? false
    }

    /// Takes a signature's updates out of force.
    ///
    /// - Parameter cause: the signature that was withdrawn, where this one is a revision of it.
    private func withdraw(
        _ signatureID: String, reason: String, by authority: WithdrawalAuthority, becauseOf cause: String?, name: String? = nil
    ) throws {
        let before = try withdrawalReason(of: signatureID)
        try db.execute(
            sql: """
                INSERT INTO withdrawals (signature_id, reason, time_ms, because_of, feed_mark) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (signature_id) DO UPDATE SET reason = excluded.reason, because_of = excluded.because_of, feed_mark = excluded.feed_mark
                WHERE withdrawals.feed_mark IS NOT NULL OR excluded.feed_mark IS NULL
                """,
            arguments: [signatureID, reason, nowMilliseconds, cause, authority.feedMark])
        guard authority == .person || before == nil else { return }
        let told = authority.named(reason)
        for update in try Int64.fetchAll(db, sql: "SELECT id FROM updates WHERE signature_id = ?", arguments: [signatureID]) {
            try end(update, as: .withdrawn, reason: told)
        }
        let person = name.map { " (by \($0))" } ?? ""
        try record(.withdrawn, signatureID, told + person + (before.map { "; before: \($0)" } ?? ""))
        if before == nil { try publishWithdrawal(of: signatureID, reason: reason) }
    }

    /// The other signatures that took a signature's place, or are to, one after the other.
    fileprivate func revisions(of signatureID: String) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                WITH RECURSIVE later(id) AS (
                  SELECT id FROM updates WHERE signature_id = ?1
                  UNION
                  SELECT v.id FROM later JOIN updates u ON u.id = later.id
                  JOIN updates v ON v.rule_id = u.rule_id AND v.id > u.id OR v.id = u.replaced_by
                )
                SELECT DISTINCT signature_id FROM updates WHERE id IN (SELECT id FROM later) AND signature_id <> ?1
                """,
            arguments: [signatureID])
    }

    /// Why a signature was withdrawn; `nil`: it is not withdrawn.
    public func withdrawalReason(of signatureID: String) throws -> String? {
        try String.fetchOne(db, sql: "SELECT reason FROM withdrawals WHERE signature_id = ?", arguments: [signatureID])
    }

    /// Withdraws a signature that is to take the place of another one, if that is withdrawn, by whom that was.
    public func withdrawRevision(_ signatureID: String, of older: String) throws {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT coalesce(because_of, signature_id) AS cause, reason, feed_mark FROM withdrawals WHERE signature_id = ?",
                arguments: [older]),
            try withdrawalReason(of: signatureID) == nil
        else { return }
        let (cause, reason): (String, String) = (row["cause"], row["reason"])
        let mark: Int64? = row["feed_mark"]
        try withdraw(
            signatureID, reason: cause == older ? Self.revisionReason(of: older, reason) : reason,
            by: mark.map { .globalCenter(mark: UInt64(bitPattern: $0)) } ?? .person, becauseOf: cause)
    }

    private static func revisionReason(of signatureID: String, _ reason: String) -> String {
        "it is a revision of \(signatureID): \(reason)"
    }
}
