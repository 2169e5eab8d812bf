// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Notifications

/// A notice that waits, with its number in the store.
public struct WaitingNotice: Hashable, Sendable {
    public var number: Int64
    public var notice: Notice
}

/// What is due to be told to a destination.
public struct DueNotices: Hashable, Sendable {
    public var notices: [WaitingNotice] = []
    /// The numbers of those whose record can't be read.
    public var damaged: [Int64] = []
}

/// How a destination fares, over all starts of the center.
public struct NoticeStatus: Hashable, Sendable, Codable {
    public var name: String
    /// Notices that wait for it now.
    public var waiting = 0
    public var told = 0
    /// Notices that it would not take, whatever it is told.
    public var refused = 0
    /// Notices for which there was no room.
    public var dropped = 0
    /// Attempts that failed.
    public var failures = 0
    /// Since 1970, as the next; `nil`: never.
    public var lastSuccessMilliseconds: Int64?
    public var lastFailureMilliseconds: Int64?
    /// The stable code of the last failure.
    public var lastFailureCode: String?
    /// What it was, for a person.
    public var lastFailure: String?

    /// Of one that nothing is known of yet.
    public init(name: String) { self.name = name }
}

extension CenterStore {
    /// What is due to be told to a destination, the oldest first.
    public func noticesDue(for destination: String, limit: Int) async throws(EpitopeError) -> DueNotices {
        try await snapshot { transaction in
            let rows = try Row.fetchAll(
                transaction.db,
                sql: "SELECT id, body FROM notices WHERE destination = ? AND due_ms <= ? ORDER BY due_ms, id LIMIT \(limit)",
                arguments: [destination, transaction.nowMilliseconds])
            var due = DueNotices()
            for row in rows {
                if let notice = try? RowCoding.value(Notice.self, row["body"]) {
                    due.notices.append(WaitingNotice(number: row["id"], notice: notice))
                } else {
                    due.damaged.append(row["id"])
                }
            }
            return due
        }
    }

    /// Takes notices that a destination has, or will never take, from what waits for it.
    ///
    /// - Parameter refusal: why it did not take the last that it refused.
    public func noticesTold(
        to destination: String, _ told: [Int64], refused: [Int64] = [], refusal: EpitopeError? = nil
    ) async throws(EpitopeError) {
        try await transaction { transaction in
            for number in told + refused { try transaction.db.execute(sql: "DELETE FROM notices WHERE id = ?", arguments: [number]) }
            let now = transaction.nowMilliseconds
            if !told.isEmpty {
                try transaction.db.execute(
                    sql: """
                        INSERT INTO notice_destinations (name, told, success_ms) VALUES (?, ?, ?)
                        ON CONFLICT (name) DO UPDATE SET told = notice_destinations.told + excluded.told, success_ms = excluded.success_ms
                        """,
                    arguments: [destination, told.count, now])
            }
            if let refusal { try transaction.noteFailure(of: destination, refusal, refused: refused.count) }
        }
    }

    /// Notes that an attempt failed; what it was to tell waits on.
    public func noticesFailed(for destination: String, _ error: EpitopeError) async throws(EpitopeError) {
        try await transaction { try $0.noteFailure(of: destination, error, refused: 0) }
    }

    /// How the destinations fare that something is known of, by name.
    public func noticeStatus() async throws(EpitopeError) -> [String: NoticeStatus] {
        try await snapshot { transaction in
            let waiting = try transaction.noticesWaiting()
            let rows = try Row.fetchAll(transaction.db, sql: "SELECT * FROM notice_destinations")
            var found: [String: NoticeStatus] = [:]
            for row in rows {
                let name: String = row["name"]
                var status = NoticeStatus(name: name)
                (status.told, status.refused, status.dropped) = (row["told"], row["refused"], row["dropped"])
                (status.failures, status.lastFailureCode, status.lastFailure) = (row["failures"], row["failure_code"], row["failure"])
                (status.lastSuccessMilliseconds, status.lastFailureMilliseconds) = (row["success_ms"], row["failure_ms"])
                found[name] = status
            }
            for (name, count) in waiting { found[name, default: NoticeStatus(name: name)].waiting = count }
            return found
        }
    }
}

extension StoreTransaction {
    /// How many notices wait, by destination.
    func noticesWaiting() throws -> [String: Int] {
        Dictionary(
            uniqueKeysWithValues: try Row.fetchAll(db, sql: "SELECT destination, count(*) AS n FROM notices GROUP BY destination")
                .map { ($0["destination"], $0["n"]) })
    }

    fileprivate func noteFailure(of destination: String, _ error: EpitopeError, refused: Int) throws {
        try db.execute(
            sql: """
                INSERT INTO notice_destinations (name, failures, refused, failure_ms, failure_code, failure) VALUES (?, 1, ?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET failures = notice_destinations.failures + 1,
                  refused = notice_destinations.refused + excluded.refused, failure_ms = excluded.failure_ms,
                  failure_code = excluded.failure_code, failure = excluded.failure
                """,
            arguments: [destination, refused, nowMilliseconds, error.code.rawValue, String(error.message.prefix(500))])
    }
}
