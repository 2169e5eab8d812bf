// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import EpitopeModel
import Scheduling

/// How a feed is read, whoever's it is: by long polls, with a pause after those that brought nothing, and growing ones after failures.
struct FeedPolling {
    /// Less than the 60 s that a center holds a long poll open.
    static let waitSeconds = 55
    /// The minimum time between two polls without news, in case a center answers at once.
    static let minInterval = Duration.seconds(1)

    /// Whether the feed is read no more.
    var isEnded: () -> Bool = { false }
    /// Told when a poll begins.
    var onTurn: () -> Void = {}
    /// Told of a failure, and how long the next poll is put off for it.
    var onFailure: (_ error: any Error, _ pause: Duration) -> Void

    /// Polls until the task is cancelled, or the feed ended.
    ///
    /// - Parameter poll: asks for news, waits so many seconds for them, and takes them in. It returns whether there were any. After a failure it
    ///   is to be answered at once: a link that works again is known to, and not only a minute later.
    func run(_ poll: (_ waitSeconds: Int) async throws -> Bool) async {
        var backoff = RetryState(.center)
        var hasFailed = false
        while !Task.isCancelled, !isEnded() {
            let asked = ContinuousClock.now
            onTurn()
            do {
                let hadNews = try await poll(hasFailed ? 0 : Self.waitSeconds)
                hasFailed = false
                backoff.succeeded()
                if !hadNews { try? await Task.sleep(until: asked + Self.minInterval) }
            } catch {
                if Task.isCancelled || isEnded() { return }
                hasFailed = true
                let pause = backoff.failed(by: error)
                onFailure(error, pause)
                try? await Task.sleep(for: pause)
            }
        }
    }
}
