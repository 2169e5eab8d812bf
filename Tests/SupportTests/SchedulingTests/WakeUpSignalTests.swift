// SPDX-License-Identifier: Apache-2.0

import Scheduling
import Synchronization
import Testing

/// Waits end by a signal, the time or cancellation, and no signal is missed.
@Suite(.timeLimit(.minutes(1))) struct WakeUpSignalTests {
    @Test func `a signal before the wait isn't missed`() async {
        let signal = WakeUpSignal()
        let seen = signal.count
        signal.send()
        signal.send()
        await signal.wait(after: seen)
        await signal.wait(after: seen, atMost: .seconds(60))
        #expect(signal.count == seen + 2)
    }

    @Test func `a signal wakes every task that waits`() async {
        let signal = WakeUpSignal()
        let seen = signal.count
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { await signal.wait(after: seen) } }
            for _ in 0..<20 { group.addTask { await signal.wait(after: seen, atMost: .seconds(60)) } }
            await Task.yield()
            signal.send()
            await group.waitForAll()
        }
    }

    private final class Work: Sendable {
        let waiting = Atomic(0)
    }

    @Test func `no signal is lost between a look and a wait`() async {
        let signal = WakeUpSignal()
        let work = Work()
        let taking = Task {
            var taken = 0
            while taken < 5000 {
                let seen = signal.count
                let found = work.waiting.exchange(0, ordering: .acquiringAndReleasing)
                taken += found
                if found == 0 { await signal.wait(after: seen) }
            }
            return taken
        }
        for _ in 0..<5000 {
            work.waiting.add(1, ordering: .acquiringAndReleasing)
            signal.send()
        }
        #expect(await taking.value == 5000)
    }

    @Test func `a wait ends with its time or its task`() async {
        let signal = WakeUpSignal()
        let begin = ContinuousClock.now
        await signal.wait(after: signal.count, atMost: .milliseconds(30))
        await signal.wait(after: signal.count, atMost: .zero)
        #expect(ContinuousClock.now - begin >= .milliseconds(30))
        let waiting = Task { await signal.wait(after: 0) }
        let waitingLong = Task { await signal.wait(after: 0, atMost: .seconds(600)) }
        waiting.cancel()
        waitingLong.cancel()
        await waiting.value
        await waitingLong.value
    }

    @Test func `a completion gives its first value to all`() async {
        let completion = Completion<Int>()
        async let early = completion.value()
        await Task.yield()
        completion.complete(7)
        completion.complete(8)
        #expect(await early == 7)
        #expect(await completion.value() == 7)
    }
}
