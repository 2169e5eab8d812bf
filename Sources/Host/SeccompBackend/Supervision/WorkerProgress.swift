// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import FileAccess
import Glibc
import Synchronization

/// What the worker of a supervisor is doing, for the one who watches it.
final class WorkerProgress: Sendable {
    /// How many workers may hang at a time before the processes that they hang for are killed.
    static let maxAbandoned = 16

    struct State: Sendable {
        /// The worker's thread.
        var thread: pid_t = 0
        var call: epitope_notification?
        /// Counts calls, so that one can be told from the next.
        var sequence: UInt64 = 0
    }

    private let turn = Atomic(0)
    private let hanging = Atomic(0)
    private let state = Mutex(State())

    /// How many workers were left to calls that they still hang in.
    var abandoned: Int { max(0, hanging.load(ordering: .relaxed) - 1) }

    var current: State { state.withLock { $0 } }

    /// Takes the turn from the worker that has it.
    func nextTurn() -> Int {
        hanging.add(1, ordering: .relaxed)
        return turn.add(1, ordering: .acquiringAndReleasing).newValue
    }

    func isCurrent(_ turn: Int) -> Bool { self.turn.load(ordering: .acquiring) == turn }

    func begin(_ turn: Int) { update(turn) { $0 = State(thread: epitope_thread_id(), call: nil, sequence: $0.sequence) } }

    /// A worker ends, be it one that was left.
    func end(_ turn: Int) { hanging.subtract(1, ordering: .relaxed) }

    func set(_ call: epitope_notification, _ turn: Int) {
        update(turn) { state in
            state.call = call
            state.sequence += 1
        }
    }

    func clear(_ turn: Int) { update(turn) { $0.call = nil } }

    private func update(_ turn: Int, _ body: (inout State) -> Void) {
        state.withLock { if isCurrent(turn) { body(&$0) } }
    }
}

/// Looks at a worker from time to time, and finds out that it hangs: it has slept since the look before, and the look before
/// that, in the same call. A worker that computes, or waits again and again, doesn't hang.
struct WorkerWatch {
    /// How long there is between looks, in seconds: while no call is handled, and while one is.
    private static let idleSeconds = 0.5
    private static let busySeconds = 0.25
    /// How many looks must find the same, at least: with the wait before the first, about a second.
    private static let looks = 3

    private struct Look: Equatable {
        var sequence: UInt64
        /// How often the thread was taken off a processor; `nil`: it is on one.
        var switches: Int?
    }

    private let progress: WorkerProgress
    private var last: Look?
    private var count = 0

    init(_ progress: WorkerProgress) { self.progress = progress }

    var secondsToNextLook: Double { last == nil ? Self.idleSeconds : Self.busySeconds }

    /// The call that the worker hangs in; `nil` while it doesn't.
    mutating func look() -> epitope_notification? {
        let state = progress.current
        guard let call = state.call else {
            (last, count) = (nil, 0)
            return nil
        }
        let look = Look(sequence: state.sequence, switches: Self.switches(of: state.thread))
        count = look == last && look.switches != nil ? count + 1 : 1
        last = look
        guard count >= Self.looks else { return nil }
        (last, count) = (nil, 0)
        return call
    }

    /// How often a thread was taken off a processor; `nil` while it is on one, or waits for one.
    private static func switches(of thread: pid_t) -> Int? {
        guard let text = ProcFS.text("/proc/self/task/\(thread)/status", maxBytes: 1 << 16) else { return nil }
        var sum = 0
        for line in text.split(separator: "\n") {
            if line.hasPrefix("State:\tR") { return nil }
            if line.contains("voluntary_ctxt_switches:") { sum += Int(line.split(separator: "\t").last ?? "") ?? 0 }
        }
        return sum
    }
}
