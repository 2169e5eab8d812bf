// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import KernelBackend

/// `epitope agent`: hands over to `epitope-agent`, which lies beside this program. It runs as root and links no center.
struct AgentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Protect every process of this machine by an eBPF program (root).")

    @Argument(parsing: .captureForPassthrough, help: "The agent's own options: epitope agent --help.")
    var arguments: [String] = []

    func run() throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let agent = URL(fileURLWithPath: own).deletingLastPathComponent().appending(path: "epitope-agent").path()
        var words: [UnsafeMutablePointer<CChar>?] = (["epitope-agent"] + arguments).map { strdup($0) } + [nil]
        execv(agent, &words)
        throw ValidationError("\(agent) could not be run: \(String(cString: strerror(errno))). It belongs beside epitope.")
    }
}

/// `epitope status`: how this machine is protected, and how it could be.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How this machine is protected, why so, and what to change for more.",
        discussion:
            "Ends with 0 where protection is in force and an agent works, 3 where nothing is in force, 4 where it is in force without an agent."
    )

    @OptionGroup var stateOptions: HostStateOptions

    @Option(help: "The folder that holds the kernel program, where the agent was given one with --pins.")
    var pins: String?

    func run() throws {
        guard getuid() == 0 || stateOptions.state != nil else {
            throw EpitopeError(
                .rootNeeded, "the state of this machine's agent is root's alone", remedy: "run it as root: sudo epitope status")
        }
        for line in AgentStatus.describe(.current) { Console.say(line) }
        let status = StatusFile(directory: stateOptions.directory).read()
        let folder = pins ?? status?.heldIn ?? (stateOptions.state == nil ? PinnedProgram.defaultFolder : nil)
        let report = ProtectionReport(
            lockHolder: AgentLock.holder(inFolder: stateOptions.directory), status: status,
            held: try folder.flatMap { (folder) throws(EpitopeError) in try PinnedProgram.look(in: folder) })
        for line in report.lines { Console.say(line) }
        if report.exitStatus != 0 { throw ExitCode(report.exitStatus) }
    }
}
