// SPDX-License-Identifier: Apache-2.0

public import CenterStore
import Scheduling
public import Signatures

/// Answers those who read this center's feed, and wakes those who wait when it has grown, and only then: most reports publish nothing, and
/// there may be thousands of subscribers.
public actor FeedWatch {
    nonisolated let signal = WakeUpSignal()
    private let store: CenterStore
    private let readers: FeedReaders
    private var end: Int64?

    /// - Parameter readers: whose feed it is.
    public init(store: CenterStore, for readers: FeedReaders = .subscribers) {
        self.store = store
        self.readers = readers
    }

    /// How long a long poll is held open at most.
    private static let maxWait = Duration.seconds(60)

    /// What comes after a position; where there is nothing, it is waited for.
    ///
    /// - Returns: an empty page when the time is over, or the task is cancelled.
    public nonisolated func page(after position: FeedPosition, waitSeconds: Int) async throws
        -> FeedPage
    {
        let deadline = ContinuousClock.now + min(.seconds(max(waitSeconds, 0)), Self.maxWait)
        while true {
            let seen = signal.count
            // The store answers a cancelled task with an error; a subscriber that left needs no answer.
            if Task.isCancelled { return FeedPage() }
            let found: FeedPage
            do {
                found = try await store.feedPage(after: position, for: readers)
            } catch {
                if Task.isCancelled { return FeedPage() }
                throw error
            }
            let remaining = deadline - .now
            guard found.entries.isEmpty, !found.isFromStart, remaining > .zero else { return found }
            await signal.wait(after: seen, atMost: remaining)
        }
    }

    /// Looks again and again, where another center publishes: what is not heard of that is seen so.
    public func watch() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: Self.interval)
        }
    }

    private static let interval = Duration.seconds(5)

    /// Looks whether there is more.
    public func look() async {
        let now = try? await store.feedEnd()
        // A store that can't be read has them look for themselves.
        guard now == nil || now != end else { return }
        end = now
        signal.send()
    }
}
