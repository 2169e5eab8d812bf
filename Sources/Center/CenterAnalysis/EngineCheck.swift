// SPDX-License-Identifier: Apache-2.0

public import Captures
import Scheduling
import SignatureProving
public import Signatures
import Synchronization

/// An engine that says whether it fires by a signature over captured flows.
public protocol EngineChecking: Sendable {
    /// - Parameter flows: that carried the attack.
    /// - Returns: `Proof.Check.Name.engineFires`: passed, failed, or not checked with the reason.
    func check(_ signature: Signature, over flows: [CapturedFlow]) async -> Proof.Check
}

/// The signatures over whose carriers an engine is to run, oldest first.
public final class EngineCheckQueue: Sendable {
    struct Task: Sendable {
        let number: UInt64
        let cluster: Int64
        let signature: Signature
        let carriers: [CapturedFlow]
        /// How often there was no answer.
        fileprivate var attempts = 0
        fileprivate var due: ContinuousClock.Instant
    }

    /// A burst of clusters must not fill the memory. What finds no room stays unchecked until its cluster is proven again, or
    /// the center starts.
    private static let maxTasks = 4096
    /// The most flows that an engine runs over for one signature.
    private static let maxCarriers = 8
    /// Between attempts to get an answer: an engine that didn't end in time on a busy machine, or was just being replaced, has one later.
    static let pauses: [Duration] = [.seconds(5), .seconds(30), .seconds(120), .seconds(600)]

    private struct State {
        var tasks: [Task] = []
        var added: UInt64 = 0
    }

    private let state = Mutex(State())
    let signal = WakeUpSignal()

    /// Empty.
    public init() {}

    /// Adds a proven signature if its proof waits for the engine.
    ///
    /// - Returns: whether there was room.
    @discardableResult
    func add(_ proven: ProvenSignature, of cluster: Int64) -> Bool {
        guard proven.proof.check(.engineFires)?.outcome == .notChecked, !proven.carriers.isEmpty else { return true }
        let isAdded = state.withLock { state in
            guard state.tasks.count < Self.maxTasks else { return false }
            state.added += 1
            state.tasks.append(
                Task(
                    number: state.added, cluster: cluster, signature: proven.signature,
                    carriers: Array(proven.carriers.suffix(Self.maxCarriers)), due: .now))
            return true
        }
        if isAdded { signal.send() }
        return isAdded
    }

    /// The oldest that is due.
    func next(now: ContinuousClock.Instant) -> Task? { state.withLock { $0.tasks.first { $0.due <= now } } }

    /// How long until one is due; `nil`: there is none.
    func wait(now: ContinuousClock.Instant) -> Duration? {
        state.withLock { $0.tasks.map(\.due).min().map { max(.zero, $0 - now) } }
    }

    func remove(_ task: Task) {
        state.withLock { state in state.tasks.removeAll { $0.number == task.number } }
    }

    /// Has the engine asked again after a pause, unless it was often enough.
    ///
    /// - Returns: whether it is asked again.
    @discardableResult
    func putBack(_ task: Task, now: ContinuousClock.Instant) -> Bool {
        guard task.attempts < Self.pauses.count else {
            remove(task)
            return false
        }
        state.withLock { state in
            guard let index = state.tasks.firstIndex(where: { $0.number == task.number }) else { return }
            state.tasks[index].attempts += 1
            state.tasks[index].due = now + Self.pauses[task.attempts]
        }
        return true
    }
}
