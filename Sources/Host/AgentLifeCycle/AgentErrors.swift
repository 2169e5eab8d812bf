// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// Another agent uses this state folder, or is starting to.
    public static let agentRunning = EpitopeError.Code("agent-running")
    /// The running agent did not hand over.
    public static let agentNotReplaced = EpitopeError.Code("agent-not-replaced")
    /// Users other than root and the agent's own could write to a folder that the agent relies on.
    public static let folderNotPrivate = EpitopeError.Code("folder-not-private")
    /// A folder can't be created or read.
    public static let folderUnusable = EpitopeError.Code("folder-unusable")
    public static let privilegesNotDropped = EpitopeError.Code("privileges-not-dropped")
    /// Only root can see the machine's agent.
    public static let rootNeeded = EpitopeError.Code("root-needed")
}
