// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import GRDB
import Novelty

extension StoreTransaction {
    /// Adds an entry to the audit log, in this transaction: where it can't be written, what it tells of does not happen.
    ///
    /// Two transactions never add to the same end: those that decide something run one at a time, in a file and in a database
    /// (``CenterStore/transaction(_:)``), and the number of an entry is there once.
    func audit(_ step: CenterEvent.Step, _ subject: String, _ detail: String, by actor: AuditActor) throws {
        let entry = AuditEntry(
            after: try auditHead(), timeMilliseconds: nowMilliseconds, actor: actor.text, action: step.rawValue, subject: subject,
            detail: detail)
        let insert = try db.cachedStatement(
            sql: "INSERT INTO audit (seq, time_ms, actor, action, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)")
        try insert.execute(arguments: [
            entry.sequence, entry.timeMilliseconds, entry.actor, entry.action, entry.subject, entry.detail, Data(entry.hash.bytes),
        ])
        tally.auditHead = entry.head
    }

    /// How far the audit log has come.
    func auditHead() throws -> AuditHead {
        if let head = tally.auditHead { return head }
        guard let row = try Row.fetchOne(db, sql: "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1") else { return .empty }
        return AuditHead(sequence: row["seq"], hash: try row.auditHash)
    }

    private static let auditColumns = "SELECT seq, time_ms, actor, action, subject, detail, hash FROM audit"

    /// Entries after one, in their order.
    func auditEntries(after sequence: Int64, limit: Int) throws -> [AuditEntry] {
        try Row.fetchAll(db, sql: "\(Self.auditColumns) WHERE seq > ? ORDER BY seq LIMIT ?", arguments: [sequence, limit])
            .map(AuditEntry.init)
    }

    /// What stood before the first entry after one: by that one, or by what retention left.
    fileprivate func auditStart(after sequence: Int64) throws -> AuditHead {
        if let row = try Row.fetchOne(
            db, sql: "SELECT seq, hash FROM audit WHERE seq <= ? ORDER BY seq DESC LIMIT 1", arguments: [sequence])
        {
            return AuditHead(sequence: row["seq"], hash: try row.auditHash)
        }
        let checkpoints = try Row.fetchAll(
            db, sql: "\(Self.auditColumns) WHERE action = \(CenterEvent.Step.auditPruned.sql) ORDER BY seq DESC LIMIT 1")
        return try checkpoints.first.map(AuditEntry.init).flatMap(AuditCheckpoint.init)?.last ?? .empty
    }

    /// Entries that meet what is asked for, the latest of them, in their order.
    fileprivate func auditEntries(_ search: AuditSearch) throws -> [AuditEntry] {
        let conditions: [(sql: String, value: String?)] = [
            ("actor LIKE ? ESCAPE '\\'", search.actor.map { "%" + $0.escapedForLike + "%" }), ("action = ?", search.action),
            ("subject = ?", search.subject),
        ]
        let asked = conditions.filter { $0.value != nil }
        let rows = try Row.fetchAll(
            db,
            sql: "\(Self.auditColumns) WHERE seq > ?\(asked.map { " AND " + $0.sql }.joined()) ORDER BY seq DESC LIMIT ?",
            arguments: [search.after] + StoreArguments(asked.compactMap(\.value)) + [search.limit])
        return try rows.reversed().map(AuditEntry.init)
    }

    /// Removes the oldest entries, and says so in an entry that has the last one's hash.
    ///
    /// - Returns: how many.
    fileprivate func pruneAudit(before cutoff: Int64, days: Int, limit: Int) throws -> Int {
        // Up to the first that is to be kept. One of a time to come, which a wrong clock gave it, keeps nothing; and one of a time long
        // past takes none of those before it along.
        let kept = try Int64.fetchOne(
            db, sql: "SELECT seq FROM audit WHERE time_ms >= ? AND time_ms <= ? ORDER BY seq LIMIT 1",
            arguments: [cutoff, nowMilliseconds + DailyQuota.windowMilliseconds])
        let end = try kept ?? auditHead().sequence
        let rows = try Row.fetchAll(
            db, sql: "SELECT seq, time_ms, hash FROM audit WHERE seq < ? ORDER BY seq LIMIT ?", arguments: [end, limit])
        // Each time costs an entry: so a day's at a time.
        let isOverdue = rows.contains { ($0["time_ms"] as Int64) < cutoff - DailyQuota.windowMilliseconds }
        guard let last = rows.last, rows.count == limit || isOverdue else { return 0 }
        let head = AuditHead(sequence: last["seq"], hash: try last.auditHash)
        try db.execute(sql: "DELETE FROM audit WHERE seq <= ?", arguments: [head.sequence])
        let checkpoint = AuditCheckpoint(last: head, count: Int64(rows.count), reason: "older than \(days) days")
        try record(.auditPruned, "audit", checkpoint.text)
        return rows.count
    }
}

/// Which entries of the audit log are asked for.
public struct AuditSearch: Hashable, Sendable {
    /// Part of who did it.
    public var actor: String?
    public var action: String?
    public var subject: String?
    /// Only entries after this one.
    public var after: Int64 = 0
    /// The latest so many.
    public var limit = 100

    public init() {}
}

extension CenterStore {
    /// Entries of the audit log, the latest of those that are asked for, in their order.
    public func auditEntries(_ search: AuditSearch = AuditSearch()) async throws(EpitopeError) -> [AuditEntry] {
        try await snapshot { try $0.auditEntries(search) }
    }

    /// How far the audit log has come.
    public func auditHead() async throws(EpitopeError) -> AuditHead { try await snapshot { try $0.auditHead() } }

    /// Looks through the audit log from its first entry to its last.
    ///
    /// - Parameter noted: a head that was noted earlier, elsewhere; `nil`: there is none.
    public func verifyAudit(noted: AuditHead? = nil) async throws(EpitopeError) -> AuditVerification {
        var verifier: AuditVerifier?
        try await forEachAuditPage(after: 0) { start, entries in
            var current = verifier ?? AuditVerifier(after: start, noted: noted)
            for entry in entries where !current.look(at: entry) { break }
            verifier = current
        }
        return (verifier ?? AuditVerifier(after: .empty, noted: noted)).outcome
    }

    /// Reads the audit log in pieces, so that nobody who writes waits for all of it.
    ///
    /// - Parameter look: called with what stood before the first entry of the piece, and the entries.
    public func forEachAuditPage(
        after sequence: Int64, _ look: (_ start: AuditHead, _ entries: [AuditEntry]) throws(EpitopeError) -> Void
    ) async throws(EpitopeError) {
        var start: AuditHead?
        while true {
            let (known, after) = (start, start?.sequence ?? sequence)
            let (before, entries) = try await snapshot { transaction in
                (try known ?? transaction.auditStart(after: after), try transaction.auditEntries(after: after, limit: Self.auditPage))
            }
            guard let last = entries.last else { return }
            try look(before, entries)
            start = last.head
        }
    }

    /// Entries that are read at a time.
    private static let auditPage = 1000

    /// Removes entries of the audit log that are older than so many days, each thousand with an entry that says so. While the clock is
    /// in doubt nothing is removed.
    ///
    /// - Returns: how many.
    @discardableResult
    public func pruneAudit(olderThanDays days: Int) async throws(EpitopeError) -> Int {
        guard !clock.isDoubtful() else { return 0 }
        let days = max(1, min(days, 36500))
        let cutoff = clock.nowMilliseconds - Int64(days) * DailyQuota.windowMilliseconds
        return try await inSteps { try $0.pruneAudit(before: cutoff, days: days, limit: $1) }
    }
}

extension AuditEntry {
    fileprivate init(_ row: Row) throws {
        self.init(
            sequence: row["seq"], timeMilliseconds: row["time_ms"], actor: row["actor"], action: row["action"], subject: row["subject"],
            detail: row["detail"], hash: try row.auditHash)
    }
}

extension Row {
    /// - Throws: `store-unusable`.
    fileprivate var auditHash: AuditHash {
        get throws(EpitopeError) {
            guard let hash = AuditHash(checking: Array(self["hash"] as Data)) else {
                throw EpitopeError(
                    .storeUnusable, "entry \(self["seq"] as Int64) of the audit log has no hash: somebody changed it",
                    remedy: "find out who can write to the store; `audit verify` says where the log is broken")
            }
            return hash
        }
    }
}

extension String {
    /// What `LIKE` takes for a sign of its own, with a backslash before it.
    fileprivate var escapedForLike: String {
        String(flatMap { "\\%_".contains($0) ? ["\\", $0] : [$0] })
    }
}
