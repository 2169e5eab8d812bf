// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import KernelBackend

/// `epitope agent`: behaviour blocking for every process of the machine. A program of its own: it runs as root, and contains no center.
@main
struct EpitopeAgent: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epitope agent",
        abstract: "Protect every process of this machine by an eBPF program.",
        discussion: """
            Critical calls (exec, connect, send, bind, listen, accept, and sends by write, sendfile, splice or io_uring) from \
            unbacked memory (executable memory that no file on disk backs) are denied with EPERM where the kernel runs BPF LSM \
            or supports fmod_ret. Elsewhere they are reported; with --without-hooks kill, their process is killed right \
            afterwards. The code that made them is sent to the center. Needs root and Linux 5.17.

            The kernel program judges calls by itself: pinned on a bpffs (--pins), it stays in force when the agent is killed, \
            until the next agent adopts it. SIGTERM and SIGINT end protection; SIGUSR1 ends the agent and leaves protection in \
            force.
            """,
        version: Version.current)

    /// The requested level.
    enum LevelOption: String, CaseIterable, ExpressibleByArgument {
        case best
        case hooks
        case fmodRet = "fmod-ret"
        case tracepoints
    }

    @OptionGroup var stateOptions: HostStateOptions
    @OptionGroup var packetOptions: PacketOptions
    @OptionGroup var containerOptions: ContainerOptions
    @OptionGroup var lifeCycle: LifeCycleOptions

    @OptionGroup var policyOptions: PolicyOptions

    @OptionGroup var extractionOptions: ExtractionOptions

    /// The action where calls can't be denied.
    enum WithoutHooks: String, CaseIterable, ExpressibleByArgument {
        case watch
        case kill
    }

    @Option(help: "What the action block means where calls can't be denied: watch, or kill the process.")
    var withoutHooks: WithoutHooks = .watch

    @Option(
        help: """
            How calls are seen: by security hooks, by programs at the functions that call them (fmod-ret), by tracepoints, or by \
            the best of them that the kernel supports.
            """)
    var level: LevelOption = .best

    @Flag(help: "Print which level this kernel supports, why, and what to change for a better one; then exit.")
    var check = false

    @Flag(help: "Print notices on standard error, and the counts of calls at the end.")
    var verbose = false

    /// Starts the agent and serves until a signal ends it.
    ///
    /// The order matters. Pending signals are caught, and the folders locked, before anything is loaded. Capabilities belong to
    /// threads: between loading the program, which needs them, and dropping them, this thread must stay the only one. All that
    /// starts threads comes afterwards.
    mutating func run() throws {
        AgentEnvironment.clean()
        if try printInformation() { return }
        let preparation = try prepare()
        if lifeCycle.release { return try preparation.directories.release(preparation.statusFile) }
        let configuration = configure(preparation)
        if containerOptions.containersOnly { return try serveContainers(preparation, configuration) }
        let backend = try load(preparation, configuration)
        try dropPrivileges(backend)
        if let signal = PendingSignals.first { return try preparation.directories.endEarly(by: signal, preparation.statusFile) }
        try serve(backend, preparation, configuration)
    }

    /// Prints what an option asks for. Whether that was all.
    private func printInformation() throws -> Bool {
        if containerOptions.printSeccompProfile {
            Console.print(try containerOptions.profile())
            return true
        }
        guard check else { return false }
        for line in AgentStatus.describe(.current) { Console.print(line) }
        return true
    }
}
