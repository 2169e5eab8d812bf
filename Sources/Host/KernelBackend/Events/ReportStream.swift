// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Synchronization

/// Reports on their way to the consumer, by their numbers from 0 on. An event's room in the ring buffer is released only when its
/// report was acknowledged: until then the next agent would read it again.
final class ReportStream: Sendable {
    let reports: AsyncStream<DetectionReport>
    private let continuation: AsyncStream<DetectionReport>.Continuation
    private let state: State

    private final class State: Sendable {
        let count = Atomic(0)
        let isCut = Atomic(false)
        /// Numbers of reports that were acknowledged and not yet taken.
        let acknowledged = Mutex<Set<Int>>([])
    }

    init() {
        // Bounded by the ring buffer: each report has room there until it is acknowledged.
        let (buffered, continuation) = AsyncStream.makeStream(of: DetectionReport.self, bufferingPolicy: .unbounded)
        let state = State()
        self.continuation = continuation
        self.state = state
        // Wrapped, since a buffered stream can't be ended before its buffer is empty.
        reports = AsyncStream(unfolding: {
            guard !state.isCut.load(ordering: .acquiring) else { return nil }
            var iterator = buffered.makeAsyncIterator()
            return await iterator.next()
        })
    }

    /// Reports a detection. Returns the report's number.
    func report(_ detection: Detection) -> Int {
        let number = state.count.add(1, ordering: .relaxed).oldValue
        continuation.yield(
            DetectionReport(detection) { [state] in
                state.acknowledged.withLock { _ = $0.insert(number) }
            })
        return number
    }

    /// The reports that were acknowledged since this was called last.
    func takeAcknowledged() -> Set<Int> {
        state.acknowledged.withLock { numbers in
            defer { numbers = [] }
            return numbers
        }
    }

    /// Ends the stream after the reports so far.
    func finish() { continuation.finish() }

    /// Ends the stream now: reports that the consumer has not received are left to the next agent.
    func cut() { state.isCut.store(true, ordering: .releasing) }
}
