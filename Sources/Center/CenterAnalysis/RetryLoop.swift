// SPDX-License-Identifier: Apache-2.0

public import CenterStore

/// Runs rounds of work whenever its signal is given or the next work is due; it never polls.
///
/// A round that throws is tried again after a pause that doubles from half a second to half a minute. Nothing is lost,
/// since a round takes its work from the store.
public struct RetryLoop: Sendable {
    /// The maximum sleep: after it a change by another process (a person's `withdraw`) and a clock that was set are
    /// noticed.
    public static let maxSleep = Duration.seconds(5)

    private let signal: Bell
    private let onFailure: @Sendable (any Error) -> Void

    public init(signal: Bell, onFailure: @escaping @Sendable (any Error) -> Void) {
        self.signal = signal
        self.onFailure = onFailure
    }

    /// Runs rounds until the task is cancelled. A round returns after what time it must run again without a signal;
    /// `nil`: only on a signal.
    public func run(_ round: @Sendable () async throws -> Duration?) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            let seen = await signal.count
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
            await signal.wait(after: seen, atMost: min(next ?? Self.maxSleep, Self.maxSleep))
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
