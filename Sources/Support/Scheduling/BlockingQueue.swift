// SPDX-License-Identifier: Apache-2.0

import Dispatch

/// Runs blocking work off Swift's pool, one piece after the other in the order in which it was given.
public final class BlockingQueue: Sendable {
    private let queue: DispatchQueue

    /// - Parameter label: what debuggers show, such as `epitope.suricata-delivery`.
    public init(label: String) {
        queue = DispatchQueue(label: label)
    }

    /// Runs a piece of work after those before it. The caller's task waits, without holding a thread.
    public func run<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: Result { () throws(Failure) in try work() }) }
        }
        return try result.get()
    }

    /// As ``run(_:)``, for a caller that may end first: when its task is cancelled it no longer waits. The work then goes on by
    /// itself, its value is lost, and the next piece waits for it.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func runUnlessCancelled<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws(CancellationError) -> Value {
        let answer = Completion<Value?>()
        let value = await withTaskCancellationHandler {
            queue.async { answer.complete(work()) }
            return await answer.value()
        } onCancel: {
            answer.complete(nil)
        }
        guard let value else { throw CancellationError() }
        return value
    }
}
