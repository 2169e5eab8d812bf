// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
public import SignatureProving

/// The part of a center's background work that local and global center share: reports are analysed as they arrive,
/// and what is older than it is kept is removed.
public struct AnalysisWorker: Sendable {
    private static let pruningInterval = Duration.seconds(3600)

    public let store: CenterStore
    /// Rung when a report is stored.
    public let bell: Bell
    private let analyst: ReportAnalyst
    private let keepDays: Int
    private let onProgress: @Sendable () async -> Void
    private let onFailure: @Sendable (any Error) -> Void

    /// - Parameter onProgress: called after reports were analysed, once their results are committed.
    public init(
        store: CenterStore, policy: AnalysisPolicy, provers: ProverSource, keepDays: Int, onProgress: @escaping @Sendable () async -> Void,
        onFailure: @escaping @Sendable (any Error) -> Void
    ) {
        self.store = store
        self.keepDays = keepDays
        self.onProgress = onProgress
        self.onFailure = onFailure
        bell = Bell()
        analyst = ReportAnalyst(store: store, policy: policy, provers: provers)
    }

    /// Works until the task is cancelled.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await analyse() }
            group.addTask { await prune() }
        }
    }

    private func analyse() async {
        await RetryLoop(bell: bell, onFailure: onFailure).run {
            while try await analyst.analyse() > 0 {
                await onProgress()
                try Task.checkCancellation()
            }
            return nil
        }
    }

    private func prune() async {
        while !Task.isCancelled {
            do {
                try await store.expireUpdates()
                if try await store.prune(olderThanDays: keepDays) > 0 { await analyst.reload() }
            } catch {
                onFailure(error)
            }
            try? await Task.sleep(for: Self.pruningInterval)
        }
    }
}
