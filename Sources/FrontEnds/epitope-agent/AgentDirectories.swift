// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import EpitopeModel
import HostFrontEnd
import KernelBackend

/// The folders of an agent, and the locks that allow one agent in each. Files in them are used by the path that was checked.
struct AgentDirectories {
    /// Where the program is pinned; `nil`: protection ends with the agent.
    let pinnedAt: String?
    private let lock: AgentLock
    private let startLock: AgentLock
    private let replaces: Bool

    /// - Throws: `folder-not-private`, `folder-unusable`, `pins-folder-unusable`, `agent-running`.
    init(_ options: LifeCycleOptions, _ stateOptions: inout HostStateOptions) throws(EpitopeError) {
        let folder = try PrivateFolder(stateOptions.directory)
        let (wanted, note) = LifeCycleOptions.folder(pins: options.pins, state: stateOptions.state, canPin: PinnedProgram.canPin)
        // From now on, the folder by the path that was checked.
        stateOptions.state = folder.path
        if let note, !options.release { Console.log(note) }
        lock = try AgentLock(in: folder)
        replaces = options.replace
        // Two agents that start with --replace would replace each other.
        startLock = try AgentLock(in: folder, named: AgentLock.startingFileName)
        try startLock.acquireOrThrow()
        if !replaces { try lock.acquireOrThrow() }
        pinnedAt = try wanted.map { (path) throws(EpitopeError) in
            // Checked before anything is created there.
            try PinnedProgram.check(path)
            return try PrivateFolder(path).path
        }
    }

    /// Makes sure that no other agent uses the folders.
    func replaceOther() throws(EpitopeError) {
        if replaces { try lock.acquireByHandover(signal: HandoverSignal.number) }
        startLock.release()
    }

    /// From now on another agent may use the folders.
    func leave() { lock.release() }

    /// Ends before this agent's program judged a call. What an earlier agent left in force ends, too, if the signal means that and
    /// no other agent uses it.
    func endEarly(by signal: Int32, _ status: StatusFile) throws(EpitopeError) {
        guard signal != HandoverSignal.number, !replaces, let pinnedAt else { return }
        try PinnedProgram.release(pinnedAt)
        status.remove()
    }

    /// Ends what an agent left in force.
    func release(_ status: StatusFile) throws(EpitopeError) {
        guard let pinnedAt, let pinned = try PinnedProgram.inspect(pinnedAt) else {
            // There may be pins without a program that is in force.
            if let pinnedAt { try PinnedProgram.release(pinnedAt) }
            status.remove()
            return Console.print("nothing was in force")
        }
        try PinnedProgram.release(pinnedAt)
        status.remove()
        let lost = pinned.unread + pinned.unreadable
        Console.print("protection is no longer in force" + (lost > 0 ? "; \(lost) unread reports are lost" : ""))
    }
}
