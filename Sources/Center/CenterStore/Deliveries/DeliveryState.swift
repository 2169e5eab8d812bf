// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Where an update goes to.
public enum DeliveryTarget: String, Hashable, Sendable, Codable, CaseIterable, StoredWord {
    /// This site's own intrusion detection system.
    case ids
    /// The global center, as this site's report of an attack.
    case global
    /// The subscribers of this (global) center.
    case feed
}

/// How far an update, or a forwarded packet, has come on its way to one target.
public enum DeliveryState: String, Hashable, Sendable, Codable, CaseIterable, StoredWord {
    case pending
    /// Beyond the day's quota; goes out when the sliding day has room again.
    case waitingQuota = "waiting-quota"
    /// It waits for a person (``StoreTransaction/hold(on:)``).
    case waitingApproval = "waiting-approval"
    /// It does not go out: by the settings it is only shown.
    case observed
    case delivered
    case refused
    case superseded
    /// The update ended; its rule is to leave the IDS with the next rule set.
    case leaving
    /// The IDS has confirmed a rule set without it.
    case removed

    /// The states before an outcome.
    static let underWay: [DeliveryState] = [.pending, .waitingQuota]
}

extension StoreTransaction {
    /// Schedules the delivery of an update to a target, in the place that an update which it replaces has in the queue.
    public func addDelivery(of update: Int64, to target: DeliveryTarget, state: DeliveryState = .pending) throws {
        if state == .pending, let hold = try hold(on: update) { return try addHeldDelivery(of: update, to: target, hold) }
        if state == .pending, try takeOverDelivery(to: target, by: update) { return }
        try db.execute(
            sql: "INSERT INTO deliveries (update_id, target, state, changed_ms) VALUES (?, ?, ?, ?)",
            arguments: [update, target.rawValue, state.rawValue, nowMilliseconds])
    }

    func setDelivery(_ id: Int64, to state: DeliveryState, reason: String?) throws {
        try db.execute(
            sql: "UPDATE deliveries SET state = ?, reason = ?, changed_ms = ?, attempts = attempts + 1 WHERE id = ?",
            arguments: [state.rawValue, reason, nowMilliseconds, id])
    }

    /// Cancels the deliveries of some updates that are under way or held, and releases their quota.
    ///
    /// - Parameter updates: SQL that selects the updates' ids, with its arguments.
    func cancelDeliveries(of updates: String, arguments: StoreArguments, reason: String?) throws {
        let isUnderWay = "update_id IN (\(updates)) AND state IN \(DeliveryState.unfinished.sql)"
        try db.execute(
            sql: """
                DELETE FROM quota_uses WHERE item_kind = \(QuotaItem.Kind.delivery.sql)
                  AND item IN (SELECT id FROM deliveries WHERE \(isUnderWay))
                """,
            arguments: arguments)
        try db.execute(
            sql: """
                UPDATE deliveries SET state = \(DeliveryState.superseded.sql), reason = coalesce(?, reason), changed_ms = ?
                WHERE \(isUnderWay)
                """,
            arguments: [reason, nowMilliseconds] + arguments)
    }
}
