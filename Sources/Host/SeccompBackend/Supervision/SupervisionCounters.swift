// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The counts of a backend's supervisors together.
final class SupervisionCounters: Sendable {
    private let statistics = Mutex(SeccompBackend.Statistics())
    private let inProgress = Atomic<Int>(0)

    /// How many calls a supervisor is handling now. A report is made after its call was answered, so the process may already
    /// have gone on.
    var callsInProgress: Int { inProgress.load(ordering: .acquiring) }

    /// Counts a call as in progress while `body` runs.
    func trackCall(_ body: () -> Void) {
        inProgress.add(1, ordering: .relaxed)
        body()
        inProgress.subtract(1, ordering: .releasing)
    }

    /// The counts so far.
    var current: SeccompBackend.Statistics { statistics.withLock { $0 } }

    func count(_ counter: WritableKeyPath<SeccompBackend.Statistics, UInt64>) {
        statistics.withLock { $0[keyPath: counter] += 1 }
    }
}
