// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Scheduling
import Synchronization
import Testing

/// Work that blocks: on a thread of its own, within a time, one after the other.
@Suite(.timeLimit(.minutes(1))) struct BlockingWorkTests {
    @Test func `work that doesn't come back is abandoned, and there is room again when it does`() {
        let bounded = BoundedWork()
        let hold = DispatchSemaphore(value: 0)
        #expect(bounded.run(withinSeconds: 10) { 7 } == 7)
        for _ in 0..<BoundedWork.maxAbandoned { #expect(bounded.run(withinSeconds: 0.002) { hold.wait() } == nil) }
        #expect(bounded.abandoned == BoundedWork.maxAbandoned)
        #expect(bounded.run(withinSeconds: 10) { 7 } == nil, "there is room for no more")
        for _ in 0..<BoundedWork.maxAbandoned { hold.signal() }
        for _ in 0..<1000 where bounded.abandoned > 0 { usleep(1000) }
        #expect(bounded.abandoned == 0)
        #expect(bounded.run(withinSeconds: 10) { 7 } == 7)
    }

    @Test func `threads of their own don't hold up the pool`() async throws {
        let hold = DispatchSemaphore(value: 0)
        let completion = Completion<Void>()
        // More than the pool has threads.
        for _ in 0..<100 { try DedicatedThread.start { hold.wait() } }
        try DedicatedThread.start { completion.complete(()) }
        await completion.value()
        for _ in 0..<100 { hold.signal() }
    }

    private final class Log: Sendable {
        let numbers = Mutex<[Int]>([])
        let running = Atomic(0)
    }

    @Test func `pieces of a queue run one after the other`() async {
        let (queue, log) = (BlockingQueue(label: "test"), Log())
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask {
                    await queue.run {
                        #expect(log.running.add(1, ordering: .sequentiallyConsistent).newValue == 1)
                        log.numbers.withLock { $0.append(number) }
                        log.running.subtract(1, ordering: .sequentiallyConsistent)
                    }
                }
            }
        }
        #expect(log.numbers.withLock { $0.sorted() } == Array(0..<50))
    }

    @Test func `whoever is cancelled doesn't wait for work that hangs, and the next piece does`() async throws {
        let (queue, hold, isBegun) = (BlockingQueue(label: "test"), DispatchSemaphore(value: 0), Completion<Void>())
        let task = Task { () throws -> Int in
            try await queue.runUnlessCancelled {
                isBegun.complete(())
                hold.wait()
                return 7
            }
        }
        await isBegun.value()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        async let next = queue.run { 5 }
        hold.signal()
        #expect(await next == 5)
        #expect(try await queue.runUnlessCancelled { 6 } == 6)
    }

    @Test func `a queue passes errors on with their type`() async {
        struct Refusal: Error, Equatable {}
        let queue = BlockingQueue(label: "test")
        await #expect(throws: Refusal()) { try await queue.run { () throws(Refusal) -> Int in throw Refusal() } }
        #expect(await queue.run { 5 } == 5)
    }
}
