// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import KernelBackend

/// `epitope agent`: executes `epitope-agent` from the folder of this program. It runs as root and contains no center.
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
        throw ValidationError("\(agent) could not be executed: \(String(cString: strerror(errno))). Install it beside epitope.")
    }
}

/// `epitope status`: shows how this machine is protected.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how this machine is protected, why, and what to change for a better level.",
        discussion:
            "Exit status: 0, protection is in force and an agent is running; 3, nothing is in force; 4, protection is in force without an agent."
    )

    @OptionGroup var stateOptions: HostStateOptions

    @Option(help: "The folder where the kernel program is pinned, if the agent was started with --pins.")
    var pins: String?

    func run() throws {
        guard getuid() == 0 || stateOptions.state != nil else {
            throw EpitopeError(
                .rootNeeded, "only root can read the state of this machine's agent", remedy: "run it as root: sudo epitope status")
        }
        for line in AgentStatus.describe(.current) { Console.print(line) }
        let status = StatusFile(directory: stateOptions.directory).read()
        let folder = pins ?? status?.pinnedAt ?? (stateOptions.state == nil ? PinnedProgram.defaultFolder : nil)
        let report = ProtectionReport(
            lockHolder: AgentLock.holder(inFolder: stateOptions.directory),
            isStarting: AgentLock.holder(inFolder: stateOptions.directory, named: AgentLock.startingFileName) != nil, status: status,
            pinned: try folder.flatMap { (folder) throws(EpitopeError) in try PinnedProgram.inspect(folder) })
        for line in report.lines { Console.print(line) }
        if report.exitStatus != 0 { throw ExitCode(report.exitStatus) }
    }
}
