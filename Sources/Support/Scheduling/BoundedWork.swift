// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization

/// Blocking work with a time limit. To open or read a file may take as long as its file system's server likes, and no signal
/// ends it (a FUSE file system, or an overlay over one, is any user's to serve). Each piece of work is done on a thread of its
/// own; one that takes too long is abandoned, and costs nothing but that thread until it comes back.
public final class BoundedWork: Sendable {
    /// How many pieces may be abandoned at a time; while there are so many, nothing is begun.
    public static let maxAbandoned = 16

    private let counts = Counts()

    private final class Counts: Sendable {
        let abandoned = Atomic(0)
    }

    public init() {}

    /// How many pieces of work have not come back.
    public var abandoned: Int { counts.abandoned.load(ordering: .relaxed) }

    private struct Progress<Value: Sendable>: Sendable {
        var value: Value?
        var isAbandoned = false
    }

    /// Does the work and returns its result; `nil` when it takes longer, too many pieces are abandoned, or no thread can be
    /// started. The work must hold no lock that others need. The caller's thread waits.
    public func run<Value: Sendable>(withinSeconds seconds: Double, _ work: @escaping @Sendable () -> Value) -> Value? {
        guard abandoned < Self.maxAbandoned else { return nil }
        let progress = Shared(Progress<Value>())
        let done = DispatchSemaphore(value: 0)
        let isStarted: Void? = try? DedicatedThread.start { [counts] in
            let value = work()
            let wasAbandoned = progress.state.withLock { state in
                if !state.isAbandoned { state.value = value }
                return state.isAbandoned
            }
            if wasAbandoned { counts.abandoned.subtract(1, ordering: .relaxed) }
            done.signal()
        }
        guard isStarted != nil else { return nil }
        if done.wait(timeout: .now() + seconds) == .success { return progress.state.withLock { $0.value } }
        return progress.state.withLock { state in
            // It may have come back just now.
            guard state.value == nil else { return state.value }
            state.isAbandoned = true
            counts.abandoned.add(1, ordering: .relaxed)
            return nil
        }
    }

    private final class Shared<State: Sendable>: Sendable {
        let state: Mutex<State>

        init(_ state: State) { self.state = Mutex(state) }
    }
}
