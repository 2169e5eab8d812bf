// SPDX-License-Identifier: Apache-2.0

/// When captures that could not be looked at are worth another attempt: when they, or the files beside them, are others, and in any case
/// every few minutes. A file that is written all the time and can't be read costs an attempt ever more seldom.
struct UnlookedCaptures {
    /// Between looks at their names and times, which cost next to nothing.
    static let lookPause = Duration.seconds(2)
    /// Before the first attempt, and at most.
    static let pauses = (first: Duration.seconds(2), most: Duration.seconds(240))

    /// Paths, or capture sets.
    let captures: [String]
    /// Since then no attempt.
    private let begun: ContinuousClock.Instant
    private let state: String
    private var nextLook: ContinuousClock.Instant
    /// Before an attempt on other files.
    let pause: Duration

    /// - Parameters:
    ///   - state: of all files when they could not be looked at.
    ///   - pause: that before the attempt that has just failed; `nil`: it was the first.
    init(_ captures: [String], state: String, pause: Duration?, now: ContinuousClock.Instant) {
        (self.captures, self.state, begun) = (captures, state, now)
        self.pause = pause.map { min($0 * 2, Self.pauses.most) } ?? Self.pauses.first
        nextLook = now + Self.lookPause
    }

    func isDue(now: ContinuousClock.Instant) -> Bool { now >= nextLook }

    func wait(now: ContinuousClock.Instant) -> Duration { max(.zero, nextLook - now) }

    /// Notes a look.
    ///
    /// - Returns: whether an attempt is due.
    mutating func look(at state: String, now: ContinuousClock.Instant) -> Bool {
        nextLook = now + Self.lookPause
        let waited = now - begun
        return waited >= Self.pauses.most || waited >= pause && state != self.state
    }
}
