// SPDX-License-Identifier: Apache-2.0

import CenterStore
public import Scheduling

/// The background work that local and global center share: analyses reports as they arrive, expires updates, mends those that can't be
/// read, and removes data that is older than it is kept.
public struct AnalysisWorker: Sendable {
    private static let pruningInterval = Duration.seconds(3600)

    /// Rung when a report is stored.
    public let signal: WakeUpSignal
    private let analyst: ReportAnalyst
    private let keepDays: Int
    private let onProgress: @Sendable () async -> Void
    private let onFailure: @Sendable (any Error) -> Void
    private let onSuccess: @Sendable () -> Void

    /// - Parameters:
    ///   - keepDays: how long packets and events are kept.
    ///   - onProgress: called after reports were analysed, once their results are committed.
    ///   - onFailure: called with each error; the step is tried again.
    ///   - onSuccess: called when everything that waited was analysed.
    public init(
        analyst: ReportAnalyst, keepDays: Int, onProgress: @escaping @Sendable () async -> Void,
        onFailure: @escaping @Sendable (any Error) -> Void, onSuccess: @escaping @Sendable () -> Void = {}
    ) {
        self.analyst = analyst
        self.keepDays = keepDays
        self.onProgress = onProgress
        self.onFailure = onFailure
        self.onSuccess = onSuccess
        signal = WakeUpSignal()
    }

    /// Works until the task is cancelled.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await analyse() }
            group.addTask { await prune() }
        }
    }

    private func analyse() async {
        await RetryLoop(signal: signal, onFailure: onFailure, onSuccess: onSuccess).run {
            while try await analyst.analyse() > 0 {
                await onProgress()
                try Task.checkCancellation()
            }
            return await analyst.nextLook
        }
    }

    private func prune() async {
        while !Task.isCancelled {
            do {
                try await analyst.store.expireUpdates()
                if try await analyst.store.mendUpdates() > 0 {
                    signal.send()
                    await onProgress()
                }
                if try await analyst.store.prune(olderThanDays: keepDays).clusters > 0 { await analyst.reload() }
            } catch {
                onFailure(error)
            }
            try? await Task.sleep(for: Self.pruningInterval)
        }
    }
}
