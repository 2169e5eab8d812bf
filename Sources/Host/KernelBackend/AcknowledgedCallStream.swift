// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Synchronization

/// The calls on their way to whoever reports them. Who asks for the next one has done with the one before: only then may an
/// event's room be given back.
final class AcknowledgedCallStream: Sendable {
    let stream: AsyncStream<Detection>
    private let end: AsyncStream<Detection>.Continuation
    private let counts: Counts

    private final class Counts: Sendable {
        let given = Atomic(0)
        let done = Atomic(0)
        let isCut = Atomic(false)
    }

    init() {
        // As many as the events' ring has room for: each keeps its room until it is done with.
        let (calls, end) = AsyncStream.makeStream(of: Detection.self, bufferingPolicy: .unbounded)
        let counts = Counts()
        self.end = end
        self.counts = counts
        stream = AsyncStream(unfolding: {
            counts.done.store(counts.given.load(ordering: .acquiring), ordering: .releasing)
            guard !counts.isCut.load(ordering: .acquiring) else { return nil }
            var iterator = calls.makeAsyncIterator()
            guard let call = await iterator.next() else { return nil }
            counts.given.add(1, ordering: .acquiringAndReleasing)
            return call
        })
    }

    /// How many are done with.
    var done: Int { counts.done.load(ordering: .acquiring) }

    func report(_ call: Detection) { end.yield(call) }

    /// There will be no more.
    func finish() { end.finish() }

    /// What is not on its way to somebody by now stays unreported here.
    func cut() { counts.isCut.store(true, ordering: .releasing) }
}
