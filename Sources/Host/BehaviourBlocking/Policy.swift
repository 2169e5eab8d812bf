// SPDX-License-Identifier: Apache-2.0

/// What is done about critical calls.
public struct Policy: Hashable, Sendable, Codable {
    /// What is done about a call whose evidence is strong enough.
    public enum Action: String, Hashable, Sendable, Codable, CaseIterable {
        /// The call fails with EPERM.
        case block
        /// It fails, and the process is stopped (SIGSTOP) for somebody to look at.
        case stop
        /// It fails, and the process is killed (SIGKILL).
        case kill
        /// It goes on, and is reported.
        case watch
    }

    /// What is done about a call whose process can't be inspected: its memory may not be read, or its stack isn't
    /// there.
    public enum Uninspectable: String, Hashable, Sendable, Codable, CaseIterable {
        /// The call fails with EPERM: the default, since what can't be seen can't be held harmless.
        case deny
        /// It goes on, and a notice tells.
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

    public init(
        action: Action = .block, blockAt: Int = 80, reportAt: Int = 40, uninspectable: Uninspectable = .deny
    ) {
        self.action = action
        self.blockAt = blockAt
        self.reportAt = reportAt
        self.uninspectable = uninspectable
    }
}
