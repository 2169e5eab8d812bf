// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A user's wish to stop (SIGINT, SIGTERM), for work that has something to clean up. A second signal ends the program at once.
struct StopRequest: Sendable {
    private static let signals = Atomic(0)

    /// Takes over both signals for the rest of the program's life.
    init() {
        // Initialised here, so that the handler only counts.
        Self.signals.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                if StopRequest.signals.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            }
        }
    }

    /// Whether a signal came.
    var isMade: Bool { Self.signals.load(ordering: .relaxed) > 0 }
}
