// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// Another agent works with this state folder, or is about to.
    public static let agentRunning = EpitopeError.Code("agent-running")
    /// No agent is there to be replaced, or it did not end.
    public static let agentNotReplaced = EpitopeError.Code("agent-not-replaced")
    /// Others than root, or the user that runs the agent, could write in a folder that it relies on.
    public static let folderNotPrivate = EpitopeError.Code("folder-not-private")
    /// A folder can't be made or looked at.
    public static let folderUnusable = EpitopeError.Code("folder-unusable")
    public static let privilegesNotDropped = EpitopeError.Code("privileges-not-dropped")
    /// Only root sees the machine's agent.
    public static let rootNeeded = EpitopeError.Code("root-needed")
}
