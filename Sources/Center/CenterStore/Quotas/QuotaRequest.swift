// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import GRDB
import Novelty

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
    /// The cluster whose evidence it rests on; `nil`: it has none here.
    var cluster: Int64?
    /// How much the item weighs, and on whose word it rests.
    var claim: FairQuota.Item
}

/// What becomes of requests.
struct QuotaPlan {
    /// A request whose item gets a use, or changes its state.
    struct Change {
        var request: QuotaRequest
        var reservation: QuotaReservation
        var state: DeliveryState { reservation == .exhausted ? .waitingQuota : .pending }
    }

    var changes: [Change] = []
    /// When a quota has room for the waiting items, in milliseconds since 1970; `nil` if none waits.
    var reopensMilliseconds: Int64?
}

extension StoreTransaction {
    /// Which of the items get a use, those that weigh most first, as far as the quotas go, and which have to wait.
    func plan(_ requests: [QuotaRequest], limits: QuotaLimits) throws -> QuotaPlan {
        var plan = QuotaPlan()
        for (kind, requests) in Dictionary(grouping: requests, by: \.quota) {
            let quota = limits.quota(kind)
            var uses = try uses(of: kind)
            let byNumber = Dictionary(requests.map { ($0.claim.number, $0) }) { first, _ in first }
            // Of those that rest on one reporter's word only the first says when there is room.
            var waiting: Set<ReportSource?> = []
            for claim in FairQuota.inOrder(byNumber.values.map(\.claim)) {
                guard let request = byNumber[claim.number] else { continue }
                let reservation: QuotaReservation
                if try isReserved(kind, for: request.item) {
                    reservation = .existing
                } else if quota.admits(claim, beside: uses) {
                    reservation = .new
                    uses.append(FairQuota.Use(timeMilliseconds: nowMilliseconds, soleSource: claim.soleSource))
                } else {
                    reservation = .exhausted
                    if waiting.insert(claim.soleSource).inserted {
                        let opens = quota.opens(for: claim, uses: uses, windowMilliseconds: DailyQuota.windowMilliseconds)
                        plan.reopensMilliseconds = min(plan.reopensMilliseconds ?? .max, opens ?? .max)
                    }
                }
                let change = QuotaPlan.Change(request: request, reservation: reservation)
                if reservation == .new || change.state.rawValue != request.state { plan.changes.append(change) }
            }
        }
        return plan
    }

    /// Reserves the uses of a plan, and marks what has to wait.
    func carryOut(_ plan: QuotaPlan, limits: QuotaLimits) throws {
        for change in plan.changes {
            let (request, state) = (change.request, change.state)
            if change.reservation == .new {
                try use(request.quota, for: request.item, soleSource: request.claim.soleSource)
                if let detail = request.startedDetail { try record(.delivering, request.subject, detail) }
            }
            guard state.rawValue != request.state else { continue }
            try db.execute(
                sql: "UPDATE \(request.item.kind.table) SET state = ?, changed_ms = ? WHERE id = ?",
                arguments: [state.rawValue, nowMilliseconds, request.item.id])
            guard state == .waitingQuota else { continue }
            try queue(request.item, for: request.quota, of: request.cluster, as: request.claim)
            let quota = limits.quota(request.quota)
            let share = request.claim.soleSource.map { ", \(quota.share) of them on the word of \($0.reporter) alone" } ?? ""
            try record(.quotaExceeded, request.subject, "\(quota.limit) a day: \(request.quota.rawValue)\(share)")
        }
    }
}

extension CenterStore {
    /// Items that are looked at in one step.
    static let maxRequests = 256

    /// Reserves a use for each request as far as the quotas go. Where nothing changes, nothing is written.
    ///
    /// - Parameter requests: what is next, with what has not been looked at: read anew in each transaction.
    /// - Returns: when a quota has room for the waiting items, in milliseconds since 1970; `nil` if none waits.
    func reserve(
        limits: QuotaLimits, _ requests: @escaping @Sendable (StoreTransaction) throws -> [QuotaRequest]
    ) async throws(EpitopeError) -> Int64? {
        while true {
            let plan = try await snapshot { transaction in
                let plan = try transaction.plan(try requests(transaction), limits: limits)
                return (isEmpty: plan.changes.isEmpty, reopens: plan.reopensMilliseconds)
            }
            if plan.isEmpty { return plan.reopens }
            // Others are next after that.
            try await transaction { transaction in
                let plan = try transaction.plan(try requests(transaction), limits: limits)
                try transaction.carryOut(plan, limits: limits)
            }
        }
    }
}
