// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A value that comes once, and can be awaited by any number of tasks before and after it came.
public final class Completion<Value: Sendable>: Sendable {
    private enum State {
        case waiting([CheckedContinuation<Value, Never>])
        case complete(Value)
    }

    private let state = Mutex<State>(.waiting([]))

    public init() {}

    /// Gives the value. Only the first one counts.
    public func complete(_ value: Value) {
        let waiting: [CheckedContinuation<Value, Never>] = state.withLock { state in
            guard case .waiting(let continuations) = state else { return [] }
            state = .complete(value)
            return continuations
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }

    /// Waits for the value, which must come: cancelling the task doesn't end the wait.
    public func value() async -> Value {
        await withCheckedContinuation { continuation in
            let present: Value? = state.withLock { state in
                switch state {
                case .complete(let value): return value
                case .waiting(let continuations):
                    state = .waiting(continuations + [continuation])
                    return nil
                }
            }
            if let present { continuation.resume(returning: present) }
        }
    }
}
