// SPDX-License-Identifier: Apache-2.0

import GRDB

/// A request for a use of a quota.
struct QuotaRequest {
    var item: QuotaItem
    /// The item's ``DeliveryState``, pending or waiting for quota, as it lies in the store.
    var state: String
    /// The subject of its events.
    var subject: String
    var quota: QuotaKind
    /// The detail of the event that records a first reservation; `nil`: none is recorded.
    var startedDetail: String?
}

extension StoreTransaction {
    /// Reserves a use for each request in their order, as far as the quotas go, and marks those that have to wait.
    ///
    /// - Returns: when a quota has room for the waiting items, in milliseconds since 1970; `nil` if none waits.
    func reserve(_ requests: [QuotaRequest], limits: QuotaLimits) throws -> Int64? {
        var reopens: Int64?
        for request in requests {
            let reservation = try reserve(request.quota, for: request.item, limits: limits)
            if reservation == .new, let detail = request.startedDetail { try record(.delivering, request.subject, detail) }
            let state: DeliveryState = reservation == .exhausted ? .waitingQuota : .pending
            if state == .waitingQuota {
                reopens = min(reopens ?? .max, try use(of: request.quota, limits: limits).reopensMilliseconds ?? .max)
            }
            guard state.rawValue != request.state else { continue }
            try db.execute(
                sql: "UPDATE \(request.item.kind.table) SET state = ?, changed_ms = ? WHERE id = ?",
                arguments: [state.rawValue, nowMilliseconds, request.item.id])
            if state == .waitingQuota {
                try record(
                    .quotaExceeded, request.subject, "\(limits.limit(of: request.quota)) a day: \(request.quota.rawValue)")
            }
        }
        return reopens
    }
}
