// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMetrics
import CenterStore
import EpitopeModel
import Rendering
import Scheduling
import Signatures

/// Keeps the rules of the IDS as the store has them: with new updates within the day's quota, without those that
/// expired or were withdrawn.
actor DeliveryWorker {
    private let store: CenterStore
    private let installer: any RuleInstalling
    private let schedule: TargetSchedule
    private let onDamage: @Sendable () -> Void
    private let onFailure: @Sendable (any Error) -> Void
    private let onSuccess: @Sendable () -> Void
    private var backoff = RetryState(.center)
    /// When the rules in the IDS were last looked at; `nil`: not since the start.
    private var looked: ContinuousClock.Instant?
    /// Between two looks.
    private let lookInterval: Duration
    /// Rules that stood in the IDS when the center started, and that the store knows nothing of: they were delivered after the backup
    /// that the store was restored from. `nil`: it was not looked yet.
    private var strangers: [PresentRule]?
    private static let remakingTime = Duration.seconds(3)

    /// What an attempt failed of, and with which rules.
    private struct Failure: Hashable {
        var code: EpitopeError.Code
        var deliveries: Set<Int64>
        var rules: Int
    }

    /// The failure that was stored last, until an attempt succeeds.
    private var recorded: (failure: Failure, time: ContinuousClock.Instant)?
    /// After so long a failure that lasts is stored again.
    private static let repetition = Duration.seconds(3600)
    /// Without the IDS.
    private static let maxRound = Duration.seconds(120)

    /// - Parameters:
    ///   - lookInterval: how often the rules in the IDS are compared with those that it confirmed.
    ///   - onSuccess: called when the IDS has what it should have.
    ///   - onDamage: called when updates that can't be read are to be made again.
    init(
        store: CenterStore, installer: any RuleInstalling, schedule: TargetSchedule, lookInterval: Duration = .seconds(60),
        onDamage: @escaping @Sendable () -> Void, onFailure: @escaping @Sendable (any Error) -> Void,
        onSuccess: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.lookInterval = lookInterval
        self.installer = installer
        self.schedule = schedule
        self.onDamage = onDamage
        self.onFailure = onFailure
        self.onSuccess = onSuccess
    }

    nonisolated func run() async {
        let lanes = store.counters.lanes
        lanes.start(.ids, limit: Self.maxRound + installer.maxInstallTime)
        await RetryLoop(signal: schedule.signal, onFailure: onFailure, onTurn: { lanes.turn(.ids) }).run { try await self.round() }
    }

    private func round() async throws -> Duration? {
        if let remaining = backoff.remaining {
            if try await store.markAttempted(.ids) { schedule.otherSignal.send() }
            return remaining
        }
        do {
            try await store.expireUpdates()
        } catch {
            // What has expired is in no rule set anyway.
            onFailure(error)
        }
        let reopens = try await store.reserveQuota(for: .ids, limits: schedule.limits.current, yieldingTo: schedule.yieldingTo)
        let set = try await store.ruleSet(isDropping: installer.isDropping)
        guard set.damaged.isEmpty else {
            try await store.remake(set.damaged)
            onDamage()
            // The IDS keeps the rules that it has while they are made again, if that doesn't take long.
            return Self.remakingTime
        }
        // Before anything is installed: that would leave no trace of them.
        if strangers == nil { strangers = try await findStrangers() }
        var isComplete = true
        if !set.pending.isEmpty || !set.isConfirmed {
            isComplete = try await deploy(set)
        } else if let difference = await difference(from: set) {
            try await store.recordDifference(difference)
            isComplete = try await deploy(set)
        }
        if backoff.remaining == nil { onSuccess() }
        await schedule.attemptEnded()
        guard isComplete else { return .zero }
        return backoff.remaining ?? store.clock.delay(until: reopens)
    }

    private func findStrangers() async throws -> [PresentRule] {
        let present = await installer.rulesPresent()
        let unknown = try await store.unknownSignatures(among: present.map(\.signatureID))
        return present.filter { unknown.contains($0.signatureID) }
    }

    /// What somebody else changed in the IDS; looked at now and then.
    private func difference(from set: RuleSet) async -> String? {
        if let looked, ContinuousClock.now - looked < lookInterval { return nil }
        looked = .now
        return await installer.difference(from: set.inForce)
    }

    /// - Returns: whether the IDS has what it should have; if not, the next rule set has what is missing.
    private func deploy(_ set: RuleSet) async throws -> Bool {
        let result: InstallationResult
        do {
            result = try await installer.install(set.rules(adding: set.pending))
        } catch {
            backoff.failed()
            // What was to be put back is looked at again with the next attempt.
            looked = nil
            onFailure(error)
            // Tried for hours, it is one event an hour, not thousands.
            let failure = Failure(code: error.code, deliveries: Set(set.pending.map(\.delivery)), rules: set.inForce.count)
            if failure != recorded?.failure || recorded.map({ .now - $0.time > Self.repetition }) ?? true {
                try await store.recordAttempt(set.pending, reason: error.description)
                recorded = (failure, .now)
            }
            return true
        }
        recorded = nil
        backoff.succeeded()
        for stranger in strangers ?? [] {
            try await store.recordStranger(stranger.signatureID, sid: stranger.sid, text: stranger.text)
        }
        strangers = []
        let added = set.pending.filter { result.refused[$0.rule.sid] == nil }
        let refused = set.pending.filter { result.refused[$0.rule.sid] != nil }
        // A rule that the IDS had before and refuses now counts as confirmed: it would be refused again. Rules of other numbers
        // whose place a refused one should have taken are missing.
        let missing = Set(refused.flatMap(\.replaced))
        let rules = set.rules(adding: added).filter { !missing.contains($0.sid) }
        try await store.confirm(rules, added: added, isDropping: installer.isDropping, detail: result.detail)
        for item in refused {
            guard let error = result.refused[item.rule.sid] else { continue }
            onFailure(error)
            try await store.refuse(item, reason: error.description)
        }
        // The quota of what was refused is free for what waits.
        return refused.isEmpty
    }
}
