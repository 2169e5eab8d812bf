// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import CenterStore
import EpitopeModel
public import Scheduling
import Synchronization

/// The background work that local and global center share: analyses reports as they arrive, makes proofs beside it, expires updates,
/// mends those that can't be read, and removes data that is older than it is kept.
public struct AnalysisWorker: Sendable {
    private static let pruningInterval = Duration.seconds(3600)

    /// Rung when a report is stored.
    public let signal: WakeUpSignal
    /// Rung when reports were analysed, which may have requested proofs.
    private let proofSignal = WakeUpSignal()
    private let analyst: ReportAnalyst
    private let keepDays: LiveValue<KeepDays>
    /// Rung when that changed.
    private let pruningSignal = WakeUpSignal()
    private let onProgress: @Sendable () async -> Void
    private let onFailure: @Sendable (any Error) -> Void
    private let onSuccess: @Sendable () -> Void
    /// The steps whose last round failed.
    private let failing = Failing()

    /// - Parameters:
    ///   - keepDays: how long packets, events and the audit log are kept.
    ///   - signal: is rung when a report is stored.
    ///   - onProgress: called after reports were analysed, once their results are committed.
    ///   - onFailure: called with each error; the step is tried again.
    ///   - onSuccess: called when everything that waited was analysed, or proven, and the other step didn't fail either.
    public init(
        analyst: ReportAnalyst, keepDays: KeepDays, signal: WakeUpSignal = WakeUpSignal(), onProgress: @escaping @Sendable () async -> Void,
        onFailure: @escaping @Sendable (any Error) -> Void, onSuccess: @escaping @Sendable () -> Void = {}
    ) {
        self.analyst = analyst
        self.keepDays = LiveValue(keepDays)
        self.onProgress = onProgress
        self.onFailure = onFailure
        self.onSuccess = onSuccess
        self.signal = signal
    }

    /// Works by other settings from now on.
    public func follow(_ policy: AnalysisPolicy, keepDays: KeepDays) async {
        await analyst.follow(policy)
        guard self.keepDays.current != keepDays else { return }
        self.keepDays.current = keepDays
        pruningSignal.send()
    }

    /// Works until the task is cancelled.
    public func run() async {
        lanes.start(.analysis, limit: Self.maxRound)
        lanes.start(.proofs, limit: Self.maxRound + analyst.proofTime)
        await withTaskGroup { group in
            group.addTask { await analyse() }
            group.addTask { await prove() }
            group.addTask { await prune() }
        }
    }

    /// A group of reports, or a proof that reads nothing, takes a fraction of a second.
    private static let maxRound = Duration.seconds(120)

    private var lanes: LaneBeats { analyst.store.counters.lanes }

    private func analyse() async {
        await loop(.reports, signal).run {
            while try await withRoom({ try await analyst.analyseReports() }) > 0 {
                lanes.turn(.analysis)
                proofSignal.send()
                await onProgress()
                try Task.checkCancellation()
            }
            // It may have been rung for what concerns proofs.
            proofSignal.send()
            return nil
        }
    }

    /// Does a piece of work, if there is room for what becomes of it. What was done before is told whatever room is left.
    private func withRoom(_ work: () async throws -> Int) async throws -> Int {
        try analyst.store.requireRoomForWork()
        return try await work()
    }

    private func prove() async {
        await loop(.proofs, proofSignal).run {
            while try await withRoom({ try await analyst.prove() }) > 0 {
                lanes.turn(.proofs)
                await onProgress()
                try Task.checkCancellation()
            }
            note(await analyst.hindrance)
            return await analyst.nextLook
        }
    }

    /// Says once what keeps signatures from being proven. Until it no longer does, the analysis is not said to work.
    private func note(_ hindrance: EpitopeError?) {
        guard failing.note(hindrance?.message) else { return }
        if let hindrance { onFailure(hindrance) }
    }

    private func loop(_ step: Step, _ signal: WakeUpSignal) -> RetryLoop {
        RetryLoop(
            signal: signal,
            onFailure: { error in
                failing.set(step, true)
                onFailure(error)
            },
            onSuccess: { if failing.set(step, false) { onSuccess() } }, onTurn: { lanes.turn(step == .reports ? .analysis : .proofs) })
    }

    private func prune() async {
        while !Task.isCancelled {
            let seen = pruningSignal.count
            do {
                try await analyst.store.expireUpdates()
                if try await analyst.store.mendUpdates() > 0 {
                    signal.send()
                    await onProgress()
                }
                let days = keepDays.current
                if try await analyst.store.prune(olderThanDays: days.packets).clusters > 0 { await analyst.reload() }
                try await analyst.store.pruneAudit(olderThanDays: days.audit)
                try await analyst.store.giveBackRoom()
            } catch {
                onFailure(error)
            }
            await pruningSignal.wait(after: seen, atMost: Self.pruningInterval)
        }
    }
}

/// How long a center keeps what it has, in days.
public struct KeepDays: Hashable, Sendable {
    /// Packets and events.
    public var packets: Int
    public var audit: Int

    public init(packets: Int, audit: Int) {
        self.packets = packets
        self.audit = audit
    }
}

/// The two steps that go on side by side, and what they need.
private enum Step {
    case reports
    case proofs
    /// What proofs are made with.
    case material
}

private final class Failing: Sendable {
    private let steps = Mutex<Set<Step>>([])
    private let hindrance = Mutex<String?>(nil)

    /// - Returns: whether that wasn't so before.
    func note(_ hindrance: String?) -> Bool {
        set(.material, hindrance != nil)
        return self.hindrance.withLock { known in
            defer { known = hindrance }
            return known != hindrance
        }
    }

    /// - Returns: whether none fails now.
    @discardableResult
    func set(_ step: Step, _ fails: Bool) -> Bool {
        steps.withLock { steps in
            if fails { steps.insert(step) } else { steps.remove(step) }
            return steps.isEmpty
        }
    }
}
