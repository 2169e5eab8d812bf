// SPDX-License-Identifier: Apache-2.0

import Scheduling
import Synchronization

/// Blocking work of one destination, off Swift's pool, of which whoever asks waits only so long: a file system or a server that hangs
/// keeps one thread of this destination, and nobody else.
final class BlockingTurn: Sendable {
    private let queue: BlockingQueue
    private let isBusy = Mutex(false)

    init(label: String) { queue = BlockingQueue(label: label) }

    /// Does the work.
    ///
    /// - Returns: `nil` where it takes longer, or the work before it has not come back: then it is not begun.
    func run<Value: Sendable>(atMost limit: Duration, _ work: @escaping @Sendable () -> Value) async -> Value? {
        let isFree = isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isFree else { return nil }
        return await withTaskGroup(of: Value?.self) { group in
            group.addTask {
                try? await self.queue.runUnlessCancelled {
                    defer { self.isBusy.withLock { $0 = false } }
                    return work()
                }
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
