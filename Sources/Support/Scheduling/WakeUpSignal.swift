// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Wakes tasks that wait for work. No signal is missed between a look at the work and the wait for more: a waiter takes
/// ``count`` before it looks, and waits for a signal after that one.
public final class WakeUpSignal: Sendable {
    private struct State {
        var count: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// How often it was signalled.
    public var count: UInt64 { state.withLock { $0.count } }

    /// Wakes every task that waits now. A task that waits later for a signal after an older count returns at once.
    public func send() {
        let woken = state.withLock { state in
            state.count &+= 1
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in woken { waiter.resume() }
    }

    /// Returns after a signal later than the given count, or when the task is cancelled.
    public func wait(after seen: UInt64) async {
        let waiter = state.withLock { state in
            defer { state.nextWaiter &+= 1 }
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Either the cancellation is seen here, or its handler, which takes the same lock, sees the waiter.
                    guard state.count == seen, !Task.isCancelled else { return true }
                    state.waiters[waiter] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume()
        }
    }

    /// Returns after a signal later than the given count, after the time, or when the task is cancelled.
    public func wait(after seen: UInt64, atMost limit: Duration) async {
        guard limit > .zero, count == seen else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait(after: seen) }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }
}
