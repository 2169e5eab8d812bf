// SPDX-License-Identifier: Apache-2.0

import CenterMetrics

/// What one transaction did, to be counted once it is on the disk: of one that fails nothing has happened.
final class StoreTally {
    /// What is counted.
    struct Counts: Sendable {
        var events: [CenterEvent.Step: Int64] = [:]
        var deliveries: [DeliveryTarget: [Outcome: Int64]] = [:]
        var forwards: [Outcome: Int64] = [:]
        var lost: [CenterLoss: Int64] = [:]
        var clusters: Int64 = 0
        var analysed: Int64 = 0
    }

    /// What became of an attempt.
    enum Outcome: String, CaseIterable {
        case delivered
        case refused
        case removed
        case retried
    }

    var counts = Counts()
    /// The audit log's end, once this transaction has added to it.
    var auditHead: AuditHead?

    func count(_ target: DeliveryTarget, _ outcome: Outcome) {
        counts.deliveries[target, default: [:]][outcome, default: 0] += 1
    }

    /// Counts what became of a message to the global center.
    func count(_ item: QuotaItem, _ state: DeliveryState) {
        let outcome: Outcome =
            switch state {
            case .delivered: .delivered
            case .refused: .refused
            case .removed: .removed
            case .pending, .waitingQuota, .waitingApproval, .observed, .superseded, .leaving: .retried
            }
        if item.kind == .forward { counts.forwards[outcome, default: 0] += 1 } else { count(.global, outcome) }
    }

    /// Has all that can be counted start at 0.
    static func declare(in counters: CenterCounters) {
        counters.events.declare(CenterEvent.Step.allCases.map { [$0.rawValue] })
        counters.forwards.declare([Outcome.delivered, .refused, .retried].map { [$0.rawValue] })
        counters.deliveries.declare(
            DeliveryTarget.allCases.flatMap { target in Outcome.allCases.map { [target.rawValue, $0.rawValue] } })
    }
}

extension StoreTally.Counts {
    /// Adds it to what the center counts.
    func add(to counters: CenterCounters) {
        for (step, number) in events { counters.events.add(step.rawValue, number: number) }
        for (target, outcomes) in deliveries {
            for (outcome, number) in outcomes { counters.deliveries.add(target.rawValue, outcome.rawValue, number: number) }
        }
        for (outcome, number) in forwards { counters.forwards.add(outcome.rawValue, number: number) }
        for (loss, number) in lost { counters.lost.add(loss, number) }
        if clusters != 0, counters.clusters.value >= 0 { counters.clusters.add(clusters) }
        counters.analysed.add(analysed)
    }
}
