// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import HostPolicy
import UnixSignals

/// Reloads the policy on SIGHUP, and keeps exclusions up to date: files are replaced, units and containers come and go, exclusions expire.
struct PolicyReloader: Sendable {
    let options: PolicyOptions
    let stateOptions: HostStateOptions
    let monitor: ExclusionMonitor
    let problems: ProblemBook
    let applyPolicy: @Sendable (Policy) throws -> Void
    let applyExclusions: @Sendable (ExclusionTable) throws -> Void

    /// The policy's name among the problems.
    static let part = "policy"

    /// Runs until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup) { reload() }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: ExclusionMonitor.interval)
                    apply(monitor.refresh())
                }
            }
        }
    }

    /// Reloads the policy. One that can't be used changes nothing.
    private func reload() {
        let manager = ServiceManager.current
        manager?.notify(.reloading(monotonicMicroseconds: ServiceManager.monotonicMicroseconds()))
        defer { manager?.notify(.ready) }
        let found = options.inForce(stateOptions)
        problems.set(Self.part, found.problem)
        if let problem = found.problem {
            return Console.log("the policy was not reloaded, the previous one stays in force: \(problem)")
        }
        let loaded = found.policy
        do {
            // New exclusions take effect before old ones end.
            apply(monitor.replace(loaded.exclusions))
            try applyPolicy(loaded.policy)
            Console.log("the policy was reloaded: \(loaded.summary)")
        } catch {
            Console.log("the policy was not reloaded, the previous one stays in force: \(error)")
        }
    }

    private func apply(_ change: ExclusionMonitor.Change) {
        problems.set("exclusions", ExclusionProblem.summary(of: monitor.actionableProblems))
        for problem in change.actionableProblems { Console.log("\(problem)") }
        guard let table = change.table else { return }
        do {
            try applyExclusions(table)
        } catch {
            Console.log("exclusions could not be applied: \(error)")
        }
    }
}
