// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import KernelBackend

/// Options of how the agent begins and ends.
struct LifeCycleOptions: ParsableArguments {
    /// What `--pins` takes for no folder.
    static let nowhere = "none"

    @Option(
        help: ArgumentHelp(
            "What holds the kernel program, so that protection stays in force when the agent is killed: a folder on a bpffs, or none.",
            discussion: "Without it: \(PinnedProgram.defaultFolder) for the machine's agent, none for one with --state.",
            valueName: "folder"))
    var pins: String?

    @Flag(help: "Take over from the agent that runs, without a gap: it ends once this one's program is in force.")
    var replace = false

    @Flag(help: "End the protection that an agent left in force, and do nothing else.")
    var release = false

    /// Where the program is to be held.
    ///
    /// - Parameters:
    ///   - state: `--state`.
    ///   - canBeHeld: whether a folder is on a bpffs.
    /// - Returns: the folder, and what a person should know when there is none though nobody said so.
    static func folder(pins: String?, state: String?, canBeHeld: (String) -> Bool) -> (folder: String?, note: String?) {
        if let pins { return (pins == nowhere ? nil : pins, nil) }
        guard state == nil else { return (nil, nil) }
        let above = PinnedProgram.defaultFolder.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        guard canBeHeld(above) else {
            return (
                nil, "protection will end with the agent, however that ends: no bpffs is mounted on \(above) (mount -t bpf bpf \(above))"
            )
        }
        return (PinnedProgram.defaultFolder, nil)
    }
}

/// The folders and locks of an agent, from its first look at them on.
struct AgentDirectories {
    /// `nil`: protection ends with the agent.
    let heldIn: String?
    private let lock: AgentLock
    private let starting: AgentLock
    private let replaces: Bool

    /// - Throws: `folder-not-private`, `folder-unusable`, `holding-folder-unusable`, `agent-running`.
    init(_ options: LifeCycleOptions, _ stateOptions: inout HostStateOptions) throws(EpitopeError) {
        let folder = try PrivateFolder(stateOptions.directory)
        let (wanted, note) = LifeCycleOptions.folder(pins: options.pins, state: stateOptions.state, canBeHeld: PinnedProgram.canBeHeld)
        // From now on the folder by the name that was looked at.
        stateOptions.state = folder.path
        if let note { Console.note(note) }
        lock = try AgentLock(in: folder)
        replaces = options.replace
        // Two that replace would take each other's place.
        starting = try AgentLock(in: folder, named: "agent.starting")
        try starting.takeOrRefuse()
        if !replaces { try lock.takeOrRefuse() }
        heldIn = try wanted.map { (path) throws(EpitopeError) in
            // Before anything is made there.
            try PinnedProgram.check(path)
            return try PrivateFolder(path).path
        }
    }

    /// Sees to it that no other agent works here any more.
    func takeOver() throws(EpitopeError) {
        if replaces { try lock.takeOver(signal: HandoverSignal.number) }
        starting.release()
    }

    /// Another agent may work here from now on.
    func leave() { lock.release() }

    /// Ends before this agent's program began to judge. What an earlier one left in force ends, too, if that is what the signal
    /// means and no agent works with it.
    func endEarly(by signal: Int32, _ status: StatusFile) throws(EpitopeError) {
        guard signal != HandoverSignal.number, !replaces, let heldIn else { return }
        try PinnedProgram.release(heldIn)
        status.remove()
    }

    /// Ends what an agent left in force.
    func release(_ status: StatusFile) throws(EpitopeError) {
        guard let heldIn, let held = try PinnedProgram.look(in: heldIn) else {
            // Names without a program in force may be there all the same.
            if let heldIn { try PinnedProgram.release(heldIn) }
            status.remove()
            return Console.say("nothing was in force")
        }
        try PinnedProgram.release(heldIn)
        status.remove()
        let lost = held.unread + held.unreadable
        Console.say("protection is not in force any more" + (lost > 0 ? "; \(lost) reports that no agent had read are lost" : ""))
    }
}

/// What ends the agent and leaves protection in force, for the next one to take over: systemd sends it for
/// `systemctl restart` (RestartKillSignal=). SIGTERM and SIGINT end protection.
enum HandoverSignal {
    static let number = SIGUSR1
}
