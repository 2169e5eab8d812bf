// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Scheduling

/// Wakes the waiting subscribers when the feed has grown, and only then: most reports publish nothing, and there may be thousands of
/// subscribers.
actor FeedWatch {
    nonisolated let signal = WakeUpSignal()
    private let store: CenterStore
    private var end: Int64?

    init(store: CenterStore) {
        self.store = store
    }

    /// Looks again and again, where another center publishes: what is not heard of that is seen so.
    func watch() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: Self.interval)
        }
    }

    private static let interval = Duration.seconds(5)

    /// Looks whether there is more.
    func look() async {
        let now = try? await store.feedEnd()
        // A store that can't be read has them look for themselves.
        guard now == nil || now != end else { return }
        end = now
        signal.send()
    }
}
