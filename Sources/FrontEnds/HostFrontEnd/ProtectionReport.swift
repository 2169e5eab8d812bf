// SPDX-License-Identifier: Apache-2.0

package import Foundation
package import KernelBackend

/// Whether this machine is protected right now, and what there is to say of it: for `epitope status` and for scripts.
package struct ProtectionReport: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        /// An agent works.
        case inForce(agent: Int32)
        /// The kernel program works, and nobody reads what it reports.
        case withoutAgent(since: Date)
        case notInForce
    }

    package let state: State
    private let status: AgentStatus?
    private let held: PinnedProgram?

    /// - Parameters:
    ///   - lockHolder: the process that has the state folder's lock.
    ///   - status: the last agent's word in the state folder.
    ///   - held: what the folder for held programs has.
    package init(lockHolder: Int32?, status: AgentStatus?, held: PinnedProgram?) {
        self.held = held
        self.status = status
        if let lockHolder, status?.processID == lockHolder {
            state = .inForce(agent: lockHolder)
        } else if let agent = held?.agent {
            state = .inForce(agent: agent)
        } else if let held {
            state = .withoutAgent(since: held.since)
        } else {
            state = .notInForce
        }
    }

    /// For scripts: 0, in force with an agent; 3, not in force; 4, in force without an agent.
    package var exitStatus: Int32 {
        switch state {
        case .inForce: 0
        case .notInForce: 3
        case .withoutAgent: 4
        }
    }

    /// For a person.
    package var lines: [String] {
        var lines: [String]
        switch state {
        case .inForce(let agent):
            lines = ["agent      process \(agent)\(isWord(of: agent) ? ", since \(Console.time(status?.since ?? 0))" : "")"]
            if let status, isWord(of: agent) { lines.append("in force   by \(status.level.rawValue), action \(status.action)") }
            lines.append(
                status?.heldIn.map { "held in    \($0): protection stays in force when the agent is killed" }
                    ?? "held in    nothing: protection ends with the agent")
        case .withoutAgent(let since):
            lines = [
                "agent      none: protection is in force without one since \(Console.time(since.timeIntervalSince1970 * 1000))",
                "in force   " + (status.map { "by \($0.level.rawValue), action \($0.action); " } ?? "")
                    + "\(held?.unread ?? 0) reports wait for an agent",
                "to go on   epitope agent takes it over; epitope agent --release ends it",
            ]
            if let unreadable = held?.unreadable, unreadable > 0 {
                lines.append("lost       \(unreadable) reports of another version of Epitope can't be read")
            }
        case .notInForce:
            return ["agent      none runs, and nothing is in force (epitope agent)"]
        }
        let counted = held?.statistics?.named ?? status?.counted ?? [:]
        return lines + counted.sorted { $0.key < $1.key }.map { "  \($0.key) \($0.value)" }
    }

    private func isWord(of agent: Int32) -> Bool { status?.processID == agent }
}
