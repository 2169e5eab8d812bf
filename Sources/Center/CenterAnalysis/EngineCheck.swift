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
        var cluster: Int64
        var signature: Signature
        var carriers: [CapturedFlow]
    }

    /// A burst of clusters must not fill the memory. What finds no room stays unchecked until its cluster is proven again, or
    /// the center starts.
    private static let maxTasks = 4096
    /// The most flows that an engine runs over for one signature.
    private static let maxCarriers = 8

    private let tasks = Mutex<[Task]>([])
    let signal = WakeUpSignal()

    /// Empty.
    public init() {}

    /// Adds a proven signature if its proof waits for the engine.
    func add(_ proven: ProvenSignature, of cluster: Int64) {
        guard proven.proof.check(.engineFires)?.outcome == .notChecked, !proven.carriers.isEmpty else { return }
        let task = Task(cluster: cluster, signature: proven.signature, carriers: Array(proven.carriers.suffix(Self.maxCarriers)))
        let isAdded = tasks.withLock { tasks in
            guard tasks.count < Self.maxTasks else { return false }
            tasks.append(task)
            return true
        }
        if isAdded { signal.send() }
    }

    var first: Task? { tasks.withLock { $0.first } }

    func removeFirst() {
        tasks.withLock { if !$0.isEmpty { $0.removeFirst() } }
    }
}
