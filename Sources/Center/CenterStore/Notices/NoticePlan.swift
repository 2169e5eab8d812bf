// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
public import Notifications

/// Who is told of what, and how much may wait for each.
public struct NoticePlan: Hashable, Sendable {
    /// What holds for one destination.
    public struct Destination: Hashable, Sendable {
        /// Notices that may wait for it.
        public var maxWaiting: Int
        /// For how long repeats of a kind are gathered, in milliseconds; 0: they aren't.
        public var windowMilliseconds: Int64

        public init(maxWaiting: Int, windowMilliseconds: Int64) {
            self.maxWaiting = maxWaiting
            self.windowMilliseconds = windowMilliseconds
        }
    }

    public var rules: NotificationRules
    /// By name.
    public var destinations: [String: Destination]

    public init(rules: NotificationRules, destinations: [String: Destination]) {
        self.rules = rules
        self.destinations = destinations
    }
}

/// What became of a look at new events.
public struct NoticeRound: Hashable, Sendable {
    /// Notices that were dropped for want of room, by destination.
    public var dropped: [String: Int] = [:]
    /// The destinations that there is something new for.
    public var queued: Set<String> = []
    /// Whether there are more events to look at.
    public var isMore = false
    /// When the next notice that gathers repeats is due, by the center's clock.
    public var nextDueMilliseconds: Int64?
}

extension CenterStore {
    /// Events that are looked at in one transaction.
    static let noticedEvents = 200
    /// Events that nobody is told of are passed over in the store only when there are so many: a look at them costs less than a write.
    private static let passedOver: Int64 = 1000

    /// Looks at the events since the last look, and puts down what is to be told of them. The first look only notes where the audit trail
    /// ends: what was before a destination was named is not told.
    ///
    /// Of a store in PostgreSQL this sees every event that can be told of: they are written by transactions that run one after the other,
    /// as this does, so no event of a lower number comes after one of a higher. (`stored` is written beside them, and not told of.)
    public func planNotices(_ plan: NoticePlan) async throws(EpitopeError) -> NoticeRound {
        let kinds = plan.rules.possibleKinds.map(\.rawValue).sorted()
        let isDue = try await snapshot { transaction in try transaction.isPlanningDue(kinds, passing: Self.passedOver) }
        guard isDue else { return NoticeRound(nextDueMilliseconds: try await nextNoticeDue()) }
        return try await transaction { transaction in try transaction.planNotices(plan, kinds: kinds, limit: Self.noticedEvents) }
    }

    private func nextNoticeDue() async throws(EpitopeError) -> Int64? { try await snapshot { try $0.nextNoticeDue() } }

    /// Forgets what waits for destinations that are not among the given ones; without any, also how far events were looked at: a
    /// destination that is named later is told of what is then.
    ///
    /// - Returns: how many notices were dropped.
    @discardableResult
    public func keepNoticeDestinations(_ names: Set<String>) async throws(EpitopeError) -> Int {
        let isNeeded = try await snapshot { transaction in
            try String.fetchAll(
                transaction.db,
                sql:
                    "SELECT name FROM notice_destinations UNION SELECT destination FROM notices UNION SELECT destination FROM notice_windows"
            ).contains { !names.contains($0) } || (names.isEmpty && transaction.mark(named: StoreTransaction.noticeCursor) != nil)
        }
        guard isNeeded else { return 0 }
        return try await transaction { try $0.keepNoticeDestinations(names) }
    }
}

extension StoreTransaction {
    /// The name of the mark with the number of the last event that was looked at.
    static let noticeCursor = "notices-cursor"

    private func noticeCursor() throws -> Int64? { try mark(named: Self.noticeCursor).flatMap { Int64($0) } }

    private func lastEvent() throws -> Int64 { try Int64.fetchOne(db, sql: "SELECT max(seq) FROM events") ?? 0 }

    /// Words as an SQL list: they are kinds, and never text of others.
    private static func list(_ kinds: [String]) -> String { "(" + kinds.map { "'\($0)'" }.joined(separator: ", ") + ")" }

    fileprivate func isPlanningDue(_ kinds: [String], passing: Int64) throws -> Bool {
        guard let cursor = try noticeCursor() else { return true }
        let last = try lastEvent()
        guard last != cursor else { return false }
        guard last > cursor, last - cursor < passing, !kinds.isEmpty else { return true }
        return try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND step IN \(Self.list(kinds)))", arguments: [cursor]) ?? false
    }

    fileprivate func nextNoticeDue() throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT min(due_ms) FROM notices WHERE due_ms > ?", arguments: [nowMilliseconds])
    }

    fileprivate func planNotices(_ plan: NoticePlan, kinds: [String], limit: Int) throws -> NoticeRound {
        var round = NoticeRound()
        let last = try lastEvent()
        // A store that was put back from a backup has fewer events than were looked at.
        guard let cursor = try noticeCursor(), cursor <= last else {
            try setMark(named: Self.noticeCursor, "\(last)")
            return round
        }
        let rows =
            kinds.isEmpty
            ? []
            : try Row.fetchAll(
                db,
                sql: """
                    SELECT seq, time_ms, step, subject, detail FROM events
                    WHERE seq > ? AND step IN \(Self.list(kinds)) ORDER BY seq LIMIT \(limit)
                    """,
                arguments: [cursor], isKept: false)
        var waiting: [String: Int] = [:]
        for row in rows {
            guard let kind = EventKind(rawValue: row["step"]) else { continue }
            let event = try noticedEvent(row, kind)
            for name in plan.rules.destinations(of: event) {
                guard let destination = plan.destinations[name] else { continue }
                let count = try waiting[name] ?? noticesWaiting(for: name)
                round.queued.insert(name)
                waiting[name] = try add(event, for: name, destination, waiting: count, dropped: &round.dropped[name, default: 0])
            }
        }
        round.dropped = round.dropped.filter { $0.value > 0 }
        try note(dropped: round.dropped, plan)
        round.isMore = rows.count == limit
        try setMark(named: Self.noticeCursor, "\(round.isMore ? rows.last?["seq"] ?? last : last)")
        round.nextDueMilliseconds = try nextNoticeDue()
        return round
    }

    private func noticesWaiting(for destination: String) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM notices WHERE destination = ?", arguments: [destination]) ?? 0
    }

    /// - Returns: how many wait for the destination then.
    private func add(
        _ event: NotifiedEvent, for name: String, _ destination: NoticePlan.Destination, waiting: Int, dropped: inout Int
    ) throws -> Int {
        let now = nowMilliseconds
        let gathering = try Row.fetchOne(
            db, sql: "SELECT id, body FROM notices WHERE destination = ? AND kind = ? AND due_ms > ? ORDER BY id DESC LIMIT 1",
            arguments: [name, event.kind.rawValue, now])
        let until = try Int64.fetchOne(
            db, sql: "SELECT until_ms FROM notice_windows WHERE destination = ? AND kind = ?", arguments: [name, event.kind.rawValue])
        let decision = RepeatWindow.decide(
            length: destination.windowMilliseconds, until: until, isGathering: gathering != nil, now: now)
        let due: Int64
        switch decision {
        case .join:
            guard let gathering, var notice = try? RowCoding.value(Notice.self, gathering["body"]) else { return waiting }
            notice.add(event)
            try db.execute(
                sql: "UPDATE notices SET body = ?, severity = ? WHERE id = ?",
                arguments: [try RowCoding.json(notice), notice.severity.level, gathering["id"] as Int64])
            return waiting
        case .tell(let windowUntil):
            due = now
            if windowUntil > now { try setWindow(of: event.kind, for: name, until: windowUntil) }
        case .gather(let at, let windowUntil):
            due = at
            try setWindow(of: event.kind, for: name, until: windowUntil)
        }
        var waiting = waiting
        if waiting >= destination.maxWaiting {
            dropped += 1
            // What is least severe goes, the oldest of it first; a new one that is less severe than all goes itself.
            guard try removeLeastSevere(of: name, notAbove: event.severity.level) else { return waiting }
            waiting -= 1
        }
        let notice = Notice(id: "evt_\(UUID().uuidString.lowercased())", event: event)
        _ = try db.insert(
            sql: "INSERT INTO notices (destination, kind, severity, due_ms, body) VALUES (?, ?, ?, ?, ?)",
            arguments: [name, event.kind.rawValue, notice.severity.level, due, try RowCoding.json(notice)], returning: "id")
        return waiting + 1
    }

    private func setWindow(of kind: EventKind, for destination: String, until: Int64) throws {
        try db.execute(
            sql: """
                INSERT INTO notice_windows (destination, kind, until_ms) VALUES (?, ?, ?)
                ON CONFLICT (destination, kind) DO UPDATE SET until_ms = excluded.until_ms
                """,
            arguments: [destination, kind.rawValue, until])
    }

    private func removeLeastSevere(of destination: String, notAbove severity: Int) throws -> Bool {
        try db.execute(
            sql: """
                DELETE FROM notices WHERE id = (
                  SELECT id FROM notices WHERE destination = ? AND severity <= ? ORDER BY severity, id LIMIT 1)
                """,
            arguments: [destination, severity])
        return db.changesCount > 0
    }

    /// Counts what was dropped, and has an event tell of it: at once, then once an hour at most.
    private func note(dropped: [String: Int], _ plan: NoticePlan) throws {
        for (name, count) in dropped.sorted(by: { $0.key < $1.key }) {
            try db.execute(
                sql: """
                    INSERT INTO notice_destinations (name, dropped) VALUES (?, ?)
                    ON CONFLICT (name) DO UPDATE SET dropped = notice_destinations.dropped + excluded.dropped
                    """,
                arguments: [name, count])
            guard
                let row = try Row.fetchOne(
                    db, sql: "SELECT dropped, dropped_told, dropped_told_ms FROM notice_destinations WHERE name = ?", arguments: [name])
            else { continue }
            let (all, told, last): (Int, Int, Int64?) = (row["dropped"], row["dropped_told"], row["dropped_told_ms"])
            guard last.map({ !(0..<Duration.hours(1).inMilliseconds).contains(nowMilliseconds - $0) }) ?? true else { continue }
            try record(
                .noticesDropped, name,
                "\(all - told) were dropped: \(plan.destinations[name]?.maxWaiting ?? 0) wait for this destination, which is all that may")
            try db.execute(
                sql: "UPDATE notice_destinations SET dropped_told = ?, dropped_told_ms = ? WHERE name = ?",
                arguments: [all, nowMilliseconds, name])
        }
    }

    fileprivate func keepNoticeDestinations(_ names: Set<String>) throws -> Int {
        let known = try String.fetchAll(
            db,
            sql: "SELECT name FROM notice_destinations UNION SELECT destination FROM notices UNION SELECT destination FROM notice_windows")
        var dropped = 0
        for name in known where !names.contains(name) {
            try db.execute(sql: "DELETE FROM notices WHERE destination = ?", arguments: [name])
            dropped += db.changesCount
            try db.execute(sql: "DELETE FROM notice_windows WHERE destination = ?", arguments: [name])
            try db.execute(sql: "DELETE FROM notice_destinations WHERE name = ?", arguments: [name])
        }
        if names.isEmpty { try removeMark(named: Self.noticeCursor) }
        return dropped
    }
}
