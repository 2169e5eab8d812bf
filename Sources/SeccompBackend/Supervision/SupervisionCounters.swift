import Synchronization

/// What supervisors count together.
final class SupervisionCounters: Sendable {
    private let statistics = Mutex(SeccompBackend.Statistics())

    /// What was counted so far.
    var now: SeccompBackend.Statistics { statistics.withLock { $0 } }

    func count(_ counter: WritableKeyPath<SeccompBackend.Statistics, UInt64>) {
        statistics.withLock { $0[keyPath: counter] += 1 }
    }
}
