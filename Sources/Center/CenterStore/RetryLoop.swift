// SPDX-License-Identifier: Apache-2.0

/// A loop that works whenever its bell rings or its next work is due, and never while there is nothing to do.
///
/// A round that throws is tried again after a pause that doubles from half a second to half a minute; nothing is lost
/// by it, since a round takes its work from the store.
public struct RetryLoop: Sendable {
    /// The longest that a lane sleeps: what another process wrote (a person's `withdraw`), and a clock that was set,
    /// are seen after this time at the latest.
    public static let longestSleep = Duration.seconds(5)

    private let bell: Bell
    private let onFailure: @Sendable (any Error) -> Void

    public init(bell: Bell, onFailure: @escaping @Sendable (any Error) -> Void) {
        self.bell = bell
        self.onFailure = onFailure
    }

    /// Runs rounds until the task is cancelled. A round says when it wants to be run again though nobody rings;
    /// `nil`: not before a ring.
    public func run(_ round: @Sendable () async throws -> Duration?) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            let seen = await bell.count
            let next: Duration?
            do {
                next = try await round()
                backoff.succeeded()
            } catch is CancellationError {
                return
            } catch {
                onFailure(error)
                try? await Task.sleep(for: backoff.failed())
                continue
            }
            await bell.wait(after: seen, atMost: min(next ?? Self.longestSleep, Self.longestSleep))
        }
    }
}

/// Pauses between attempts at something that doesn't answer: half a second, doubled with each failure up to half a
/// minute, so that a center that comes back is found soon and one that is gone isn't hammered.
public struct Backoff: Sendable {
    private static let first = Duration.milliseconds(500)
    private static let longest = Duration.seconds(30)

    private var failures = 0
    private var until: ContinuousClock.Instant?

    public init() {}

    /// How long to leave the other side alone yet; `nil`: it may be tried.
    public var remaining: Duration? {
        guard let until, until > .now else { return nil }
        return until - .now
    }

    /// The next failure waits as briefly as the first.
    public mutating func succeeded() {
        failures = 0
        until = nil
    }

    /// - Returns: the pause.
    @discardableResult
    public mutating func failed() -> Duration {
        let pause = min(Self.longest, Self.first * (1 << min(failures, 6)))
        failures += 1
        until = .now + pause
        return pause
    }
}
