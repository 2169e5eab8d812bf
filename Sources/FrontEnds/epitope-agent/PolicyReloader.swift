// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import HostPolicy
import UnixSignals

/// Keeps the policy in force what its file says, and exclusions what they stand for: files are replaced, units and
/// containers come and go, exclusions end.
struct PolicyReloader: Sendable {
    let options: PolicyOptions
    let keeper: ExclusionMonitor
    /// Put a policy, and a table of who is excluded, in force.
    let set: @Sendable (Policy) throws -> Void
    let exclusion: @Sendable (ExclusionTable) throws -> Void

    /// How often what exclusions stand for is looked at: a container that is excluded, or a file that was replaced, is
    /// treated as everybody for so long.
    static let interval = Duration.seconds(1)

    /// Until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup) { reload() }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.interval)
                    apply(keeper.refresh())
                }
            }
        }
    }

    /// A policy that can't be used changes nothing.
    private func reload() {
        let manager = ServiceManager.current
        manager?.tell(.reloading(monotonicMicroseconds: ServiceManager.monotonicMicroseconds()))
        defer { manager?.tell(.ready) }
        do {
            let loaded = try options.load()
            // What is new holds before what is old ends.
            apply(keeper.replace(loaded.exclusions))
            try set(loaded.policy)
            Console.note("the policy was read again: \(loaded.summary)")
        } catch {
            Console.note("the policy in force stays: \(error)")
        }
    }

    private func apply(_ change: ExclusionMonitor.Change) {
        for problem in change.problems where !problem.isAbsence { Console.note("\(problem)") }
        guard let table = change.table else { return }
        do {
            try exclusion(table)
        } catch {
            Console.note("exclusions could not be put in force: \(error)")
        }
    }
}
