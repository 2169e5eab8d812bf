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
        let answer = Completion<Value?>()
        Task {
            let value = await self.queue.run { work() }
            self.isBusy.withLock { $0 = false }
            answer.complete(value)
        }
        @Sendable func giveUp(after time: Duration) -> Task<Void, Never> {
            Task {
                if (try? await Task.sleep(for: time)) != nil { answer.complete(nil) }
            }
        }
        let limiting = giveUp(after: limit)
        defer { limiting.cancel() }
        return await withTaskCancellationHandler {
            await answer.value()
        } onCancel: {
            // What is under way mostly ends at once, and needn't be done again then.
            _ = giveUp(after: Self.farewell)
        }
    }

    /// How long an end of the center waits for it.
    private static let farewell = Duration.seconds(2)
}
