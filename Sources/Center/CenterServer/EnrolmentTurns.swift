// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Scheduling
import Synchronization

/// Who may enrol now: so many at a time, and machines take turns. One that sends requests without end, with tokens that it made up, keeps
/// nobody else waiting.
final class EnrolmentTurns: Sendable {
    /// At a time: more would only wait for the store's writer and the authority's key, and keep packets from both.
    static let underWay = 16
    /// Half a thousand of one machine may wait: hosts of a whole site may come from one address.
    static let bounds = FairQueueBounds(rows: 4096, bytes: 4096)

    private struct Waiting: Sendable {
        var number: UInt64
        var turn: CheckedContinuation<Void, any Error>
    }

    private struct State: Sendable {
        var free: Int
        var waiting: FairQueue<Waiting>
        var next: UInt64 = 0
        /// Of those who are about to wait, who left first.
        var left: Set<UInt64> = []

        mutating func number() -> UInt64 {
            next += 1
            return next
        }
    }

    private let state: Mutex<State>

    init(underWay: Int = EnrolmentTurns.underWay, bounds: FairQueueBounds = EnrolmentTurns.bounds) {
        state = Mutex(State(free: max(1, underWay), waiting: FairQueue(bounds)))
    }

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Does something when its machine's turn comes. Whose task is cancelled before leaves the queue.
    ///
    /// - Parameter machine: that the request comes from; `nil`: it isn't known.
    /// - Throws: `sender-busy` if too many of the machine wait, `store-busy` if too many do, `CancellationError` if the task is cancelled
    ///   before its turn, or what the body throws.
    func run<Value>(of machine: IPNetwork?, _ body: () async throws -> Value) async throws -> Value {
        let holder = machine?.description ?? ""
        // Asked before, for a continuation can't refuse; a few more may come to wait than there is room for.
        let refusal = state.withLock { $0.free > 0 ? nil : $0.waiting.refusal(of: holder, bytes: 1) }
        if let refusal { throw ServerErrors.tooManyEnrol(refusal) }
        try await turn(of: holder)
        defer { end() }
        // It may have come just when the task was cancelled.
        try Task.checkCancellation()
        return try await body()
    }

    /// Waits for a turn, which is to be ended then.
    ///
    /// - Throws: `CancellationError`: there is none to be ended.
    private func turn(of holder: String) async throws {
        let number = state.withLock { $0.number() }
        defer { state.withLock { _ = $0.left.remove(number) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { turn in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if state.left.contains(number) { return .failure(CancellationError()) }
                    guard state.free == 0 else {
                        state.free -= 1
                        return .success(())
                    }
                    state.waiting.add(Waiting(number: number, turn: turn), of: holder, bytes: 1)
                    return nil
                }
                if let result { turn.resume(with: result) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                let waiting = state.waiting.remove(of: holder) { $0.number == number }
                if waiting == nil { state.left.insert(number) }
                return waiting
            }
            waiting?.turn.resume(throwing: CancellationError())
        }
    }

    private func end() {
        let next = state.withLock { state in
            let next = state.waiting.take(maxRows: 1, maxBytes: 1).first
            if next == nil { state.free += 1 }
            return next
        }
        next?.turn.resume()
    }
}
