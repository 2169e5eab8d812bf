// SPDX-License-Identifier: Apache-2.0

public import Scheduling

/// Runs rounds of work whenever its signal is given or the next work is due; it never polls.
///
/// A round that throws is tried again after a pause that doubles from half a second to half a minute. Nothing is lost,
/// since a round takes its work from the store.
public struct RetryLoop: Sendable {
    /// The maximum sleep: after it a change by another process (a person's `withdraw`) and a clock that was set are
    /// noticed.
    public static let maxSleep = Duration.seconds(5)

    private let signal: WakeUpSignal
    private let onFailure: @Sendable (any Error) -> Void
    private let onSuccess: @Sendable () -> Void
    private let onTurn: @Sendable () -> Void

    /// - Parameters:
    ///   - onFailure: called with the error of each round that throws.
    ///   - onSuccess: called after each other round.
    ///   - onTurn: called before each round and after it, however it ended: the loop turns.
    public init(
        signal: WakeUpSignal, onFailure: @escaping @Sendable (any Error) -> Void, onSuccess: @escaping @Sendable () -> Void = {},
        onTurn: @escaping @Sendable () -> Void = {}
    ) {
        self.signal = signal
        self.onFailure = onFailure
        self.onSuccess = onSuccess
        self.onTurn = onTurn
    }

    /// Runs rounds until the task is cancelled. A round returns after what time it must run again without a signal;
    /// `nil`: only on a signal.
    public func run(_ round: @Sendable () async throws -> Duration?) async {
        var backoff = RetryState(.center)
        while !Task.isCancelled {
            let seen = signal.count
            let next: Duration?
            onTurn()
            do {
                next = try await round()
                onTurn()
                backoff.succeeded()
                onSuccess()
            } catch  where error is CancellationError || Task.isCancelled {
                // What was cut short by the end is no failure, as whatever error it comes.
                return
            } catch {
                onTurn()
                onFailure(error)
                try? await Task.sleep(for: backoff.failed())
                continue
            }
            await signal.wait(after: seen, atMost: min(next ?? Self.maxSleep, Self.maxSleep))
        }
    }
}

extension Backoff {
    /// Between attempts at something that doesn't answer, from half a second up to half a minute: a center that comes back is
    /// found soon, and one that is gone isn't hammered.
    public static let center = Backoff(initial: .milliseconds(500), maximum: .seconds(30))
}
