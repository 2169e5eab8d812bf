// SPDX-License-Identifier: Apache-2.0

package import Foundation
package import KernelBackend

/// Whether this machine is protected now, for `epitope status` and for scripts.
package struct ProtectionReport: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        /// An agent is running.
        case inForce(agent: Int32)
        /// The kernel program is in force, and no agent reads its reports.
        case withoutAgent(since: Date)
        case notInForce
    }

    package let state: State
    private let status: AgentStatus?
    private let pinned: PinnedProgram?

    /// - Parameters:
    ///   - lockHolder: the process that holds the state folder's lock.
    ///   - isStarting: whether an agent is starting there, and does not protect yet.
    ///   - status: the last status in the state folder.
    ///   - pinned: the program that is pinned.
    package init(lockHolder: Int32?, isStarting: Bool = true, status: AgentStatus?, pinned: PinnedProgram?) {
        self.pinned = pinned
        self.status = status
        if let lockHolder, status?.processID == lockHolder {
            state = .inForce(agent: lockHolder)
        } else if let agent = pinned?.agent {
            state = .inForce(agent: agent)
        } else if let lockHolder, !isStarting {
            // It could not write its status.
            state = .inForce(agent: lockHolder)
        } else if let pinned {
            state = .withoutAgent(since: pinned.since)
        } else {
            state = .notInForce
        }
    }

    /// The exit status: 0, in force with an agent; 3, not in force; 4, in force without an agent.
    package var exitStatus: Int32 {
        switch state {
        case .inForce: 0
        case .notInForce: 3
        case .withoutAgent: 4
        }
    }

    /// The text of `epitope status`.
    package var lines: [String] {
        var lines: [String]
        switch state {
        case .inForce(let agent):
            lines = ["agent      process \(agent)\(isStatus(of: agent) ? ", since \(Console.time(status?.since ?? 0))" : "")"]
            if let status, isStatus(of: agent) {
                lines.append("in force   \(status.means), action \(status.action)")
                if status.level != nil {
                    lines.append(
                        status.pinnedAt.map { "pinned at  \($0): protection stays in force when the agent is killed" }
                            ?? "pinned at  nowhere: protection ends with the agent")
                }
                if let applications = status.applications { lines.append("judges     \(applications)") }
                lines += (status.problems ?? []).map { "problem    \($0.line)" }
            } else {
                lines.append(
                    "problem    status: the agent protects, and its status can't be read; what to do: if it stays so, see that the disk of its state folder has room"
                )
            }
        case .withoutAgent(let since):
            lines = [
                "agent      none: protection is in force without one since \(Console.time(since.timeIntervalSince1970 * 1000))",
                "in force   " + (status.map { "\($0.means), action \($0.action); " } ?? "")
                    + "\(pinned?.unread ?? 0) unread reports",
                "next       epitope agent adopts it; epitope agent --release ends it",
            ]
            if let unreadable = pinned?.unreadable, unreadable > 0 {
                lines.append("lost       \(unreadable) reports of another version of Epitope can't be read")
            }
        case .notInForce:
            return ["agent      none is running, and nothing is in force (epitope agent)"]
        }
        // What the program counted is newer there; what the agent counts itself is in its status alone.
        let counted = (status?.counted ?? [:]).merging(pinned?.statistics?.named ?? [:]) { $1 }
        return lines + counted.sorted { $0.key < $1.key }.map { "  \($0.key) \($0.value)" }
    }

    private func isStatus(of agent: Int32) -> Bool { status?.processID == agent }
}
