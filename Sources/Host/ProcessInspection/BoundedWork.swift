// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Work that others can hold up: to open or read a file may take as long as whoever serves its file system likes, and no signal
/// ends it (a FUSE file system, or an overlay over one, is any user's to serve). Each piece is done on a thread of its own; what
/// takes too long is left behind, and costs nothing but that thread until it comes back.
public final class BoundedWork: Sendable {
    /// The most pieces that may be left behind at a time; while there are so many, nothing is begun.
    public static let most = 16

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

    /// What the work gives; `nil` when it takes longer. It must hold no lock that others need.
    public func run<Value: Sendable>(withinSeconds seconds: Double, _ work: @escaping @Sendable () -> Value) -> Value? {
        guard abandoned < Self.most else { return nil }
        let progress = Shared(Progress<Value>())
        let done = DispatchSemaphore(value: 0)
        let thread = Thread { [counts] in
            let value = work()
            let wasAbandoned = progress.state.withLock { state in
                if !state.isAbandoned { state.value = value }
                return state.isAbandoned
            }
            if wasAbandoned { counts.abandoned.subtract(1, ordering: .relaxed) }
            done.signal()
        }
        thread.start()
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
