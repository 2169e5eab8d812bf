// SPDX-License-Identifier: Apache-2.0

/// Wakes those who wait for work: no ring is missed between a look at the work and the wait for more.
///
/// A waiter remembers ``count`` before it looks for work, and waits for a ring after that one.
public actor Bell {
    private var rings: UInt64 = 0
    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter: UInt64 = 0

    public init() {}

    /// How often the bell has rung.
    public var count: UInt64 { rings }

    /// Wakes everyone who waits now; whoever asks later about an older count isn't kept waiting.
    public func ring() {
        rings &+= 1
        let woken = waiters
        waiters = [:]
        for waiter in woken.values { waiter.resume() }
    }

    /// Returns after a ring later than the given one, after the time, or when the task is cancelled.
    public func wait(after seen: UInt64, atMost limit: Duration) async {
        guard rings == seen, !Task.isCancelled, limit > .zero else { return }
        let waiter = nextWaiter
        nextWaiter &+= 1
        let timer = Task {
            try? await Task.sleep(for: limit)
            self.release(waiter)
        }
        await withTaskCancellationHandler {
            // Still on the actor since the guard: neither a ring nor a release can come between.
            await withCheckedContinuation { waiters[waiter] = $0 }
        } onCancel: {
            Task { await self.release(waiter) }
        }
        timer.cancel()
    }

    private func release(_ waiter: UInt64) {
        waiters.removeValue(forKey: waiter)?.resume()
    }
}
