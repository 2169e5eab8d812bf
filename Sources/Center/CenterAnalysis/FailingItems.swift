// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import Synchronization

/// Pieces of work that failed, by their number in the store. Work is done in groups, and one that can never be done would take its
/// group, and all that is behind it, with it for ever. So the pieces of a group that failed are done one by one, and one that fails
/// again and again by itself is put aside, with the reason.
final class FailingItems: Sendable {
    /// How often a piece is tried, with waits in between: some seconds in all.
    static let maxAttempts = 4

    private let attempts = Mutex<[Int64: Int]>([:])

    /// Notes a failure of one piece by itself.
    ///
    /// - Returns: whether it is to be put aside.
    func failed(_ item: Int64) -> Bool {
        attempts.withLock { attempts in
            let count = attempts[item, default: 0] + 1
            attempts[item] = count < Self.maxAttempts ? count : nil
            return count >= Self.maxAttempts
        }
    }

    func succeeded(_ item: Int64) { attempts.withLock { _ = $0.removeValue(forKey: item) } }

    /// Whether a failure may be that of one piece. On a disk that is full or fails, in a store that another process keeps locked, and
    /// when the task is to end, each fails.
    static func mayBeOfOne(_ error: any Error) -> Bool {
        guard !Task.isCancelled, !(error is CancellationError) else { return false }
        return (error as? EpitopeError).map { !$0.isOfWholeStore } ?? true
    }
}
