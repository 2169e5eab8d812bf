// SPDX-License-Identifier: Apache-2.0

import Scheduling

/// A look at something that may take long: made at most so often, one at a time, and never waited for longer than that is worth.
actor TimedLook<Value: Sendable> {
    /// What the last look that ended saw.
    struct Seen: Sendable {
        var value: Value?
        /// How old it is; `nil`: none has ended yet.
        var age: Duration?
        /// For how long the one that is under way has taken; `nil`: none is.
        var pending: Duration?
    }

    private let interval: Duration
    private let look: @Sendable () async -> Value
    private var value: Value?
    private var ended: ContinuousClock.Instant?
    private var began: ContinuousClock.Instant?

    init(every interval: Duration, _ look: @escaping @Sendable () async -> Value) {
        self.interval = interval
        self.look = look
    }

    /// What was seen last, after another look where that is due.
    ///
    /// - Parameter patience: how long that is waited for.
    func current(patience: Duration = .seconds(2)) async -> Seen {
        if began == nil, ended.map({ .now - $0 >= interval }) ?? true {
            began = .now
            Task { await self.finish(with: look()) }
        }
        let deadline = ContinuousClock.now + patience
        var pause = Duration.milliseconds(1)
        while began != nil, .now < deadline {
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
        return Seen(value: value, age: ended.map { .now - $0 }, pending: began.map { .now - $0 })
    }

    private func finish(with value: Value) {
        self.value = value
        (began, ended) = (nil, .now)
    }
}
