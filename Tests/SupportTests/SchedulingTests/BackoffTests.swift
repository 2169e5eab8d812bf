// SPDX-License-Identifier: Apache-2.0

import Scheduling
import Testing

/// Waits between attempts double, end at a bound, and are drawn.
@Suite struct BackoffTests {
    @Test func `delays double up to the maximum`() {
        let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(1))
        let whole = (1...7).map { backoff.delay(afterFailures: $0, fraction: 1) }
        #expect(
            whole == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)]
                + Array(repeating: .seconds(1), count: 3))
        #expect(backoff.delay(afterFailures: 1, fraction: 0) == .milliseconds(50))
        #expect(backoff.delay(afterFailures: .max, fraction: 1) == .seconds(1))
        #expect(backoff.delay(afterFailures: 0, fraction: 7) == .milliseconds(100))
    }

    @Test func `a success begins anew`() {
        var state = RetryState(Backoff(initial: .seconds(100), maximum: .seconds(1000)))
        #expect(state.remaining == nil)
        #expect((.seconds(50) ... .seconds(100)).contains(state.failed()))
        #expect((.seconds(100) ... .seconds(200)).contains(state.failed()))
        #expect(state.remaining.map { $0 > .seconds(90) && $0 <= .seconds(200) } == true)
        state.succeeded()
        #expect(state.remaining == nil)
        #expect((.seconds(50) ... .seconds(100)).contains(state.failed()))
        #expect((.seconds(500) ... .seconds(750)).contains(state.failed(atLeast: .seconds(500))), "asked to wait")
        #expect((.seconds(200) ... .seconds(400)).contains(state.failed(atLeast: .seconds(1))), "it would have waited for longer")
        #expect(state.remaining.map { $0 > .seconds(190) } == true)
    }
}
