// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What is done about critical calls.
public struct Policy: Hashable, Sendable, Codable {
    /// What is done about a call whose evidence is strong enough.
    public enum Action: String, Hashable, Sendable, Codable, CaseIterable {
        /// The call fails with EPERM.
        case block
        /// The call fails, and the process is stopped (SIGSTOP) so that somebody can examine it.
        case stop
        /// The call fails, and the process is killed (SIGKILL).
        case kill
        /// The call is allowed and reported.
        case watch
    }

    /// What is done about a call whose process can't be inspected: its memory may not be read, or its stack is missing.
    public enum Uninspectable: String, Hashable, Sendable, Codable, CaseIterable {
        /// The call fails with EPERM. This is the default, since a call that can't be inspected can't be called harmless.
        case deny
        /// The call is allowed, with a notice.
        case allow
    }

    /// What is done about a call of the command that reaches into a process outside of it (``CriticalCall/Family/intrude``):
    /// code that is blocked could have another process act in its place. Of `epitope run` alone.
    public enum OtherProcesses: String, Hashable, Sendable, Codable, CaseIterable {
        /// The call fails with EPERM, whoever makes it.
        case deny
        /// The call is judged as any other.
        case allow
    }

    /// Block at 80 points, and deny what can't be inspected.
    public static let `default` = Policy()

    public var action: Action
    /// The call is acted upon when its strongest evidence weighs at least this many points. At 80, calls from
    /// unbacked memory and written image pages are blocked, and calls from memory files only reported.
    public var blockAt: Int
    /// The call is reported when its strongest evidence weighs at least this many points.
    public var reportAt: Int
    public var uninspectable: Uninspectable
    public var otherProcesses: OtherProcesses
    /// What is said of single applications; of those that are missing, what is said of all.
    public var applications: [BlockingApplication: ApplicationPolicy]

    public init(
        action: Action = .block, blockAt: Int = 80, reportAt: Int = 40, uninspectable: Uninspectable = .deny,
        otherProcesses: OtherProcesses = .deny, applications: [BlockingApplication: ApplicationPolicy] = [:]
    ) {
        self.action = action
        self.blockAt = blockAt
        self.reportAt = reportAt
        self.uninspectable = uninspectable
        self.otherProcesses = otherProcesses
        self.applications = applications
    }
}
