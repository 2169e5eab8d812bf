// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What supervisors count together.
final class SupervisionCounters: Sendable {
    private let statistics = Mutex(SeccompBackend.Statistics())
    private let inWork = Atomic<Int>(0)

    /// How many calls are before a supervisor at this moment: received, and not done with. A report is made after its call was
    /// answered, and with that the process may have gone on already.
    var answering: Int { inWork.load(ordering: .acquiring) }

    /// Does one call's work.
    func answer(_ work: () -> Void) {
        inWork.add(1, ordering: .relaxed)
        work()
        inWork.subtract(1, ordering: .releasing)
    }

    /// What was counted so far.
    var now: SeccompBackend.Statistics { statistics.withLock { $0 } }

    func count(_ counter: WritableKeyPath<SeccompBackend.Statistics, UInt64>) {
        statistics.withLock { $0[keyPath: counter] += 1 }
    }
}
