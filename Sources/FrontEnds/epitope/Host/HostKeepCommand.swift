// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import AgentUpdates
import ArgumentParser
import EpitopeModel
import FileAccess
import Glibc
import HostFrontEnd
import KernelBackend
import SecureChannel
import UnixSignals

/// `epitope host keep`: keeps the agent running, in the version that the center hands out.
struct HostKeepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keep", abstract: "Keep this host's agent running, in the version that its center hands out (root).",
        usage: "epitope host keep [--state <folder>] [--interval <seconds>] [-- <agent's options>]",
        discussion: """
            Only programs that the center's authority has signed are run, and they are checked again at each start. A new version takes over \
            from the one that runs without a gap; one that does not protect within its time is given back for the one before. \
            SIGTERM ends the agent and protection; SIGUSR1 ends the agent and leaves protection in force; SIGHUP reloads the agent's policy.
            """)

    @OptionGroup var stateOptions: HostStateOptions

    @Option(parsing: .unconditional, help: ArgumentHelp("How often the center is asked.", valueName: "seconds"))
    var interval = 60

    @Option(parsing: .unconditional, help: .hidden)
    var settle = 5

    @Flag(help: .hidden)
    var check = false

    @Option(help: .hidden)
    var adopt: Int32?

    @Argument(parsing: .postTerminator, help: "The agent's own options: epitope agent --help.")
    var agentOptions: [String] = []

    func validate() throws {
        guard (1...86_400).contains(interval) else { throw ValidationError("--interval takes 1 to 86400 seconds") }
    }

    func run() async throws {
        PendingSignals.install()
        // Those that came while another version of the keeper gave place to this one.
        PendingSignals.release()
        let state = try PrivateFolder(stateOptions.directory).path
        let file = StatusFile(directory: state)
        let keeper: AgentKeeper
        let settings = AgentKeeper.Settings(
            stateFolder: state, agentOptions: agentOptions, interval: .seconds(interval), settleTime: .seconds(settle))
        let client = EnrolledClient(directory: "\(state)/local")
        keeper = try AgentKeeper(settings, client: client, adopting: adopt, condition: { file.read()?.condition }, log: { Console.log($0) })
        // What goes on with the work of another version looks whether it could.
        if check { return }
        let lock = try AgentLock(in: PrivateFolder(state), named: AgentKeeper.Settings.lockFile)
        try lock.acquireOrThrow()
        let signals = Task {
            for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1, .sighup) {
                if signal == .sighup { await keeper.pass(SIGHUP) } else { await keeper.stop(by: signal == .sigusr1 ? SIGUSR1 : SIGTERM) }
            }
        }
        defer { signals.cancel() }
        if let pending = PendingSignals.first { await keeper.stop(by: pending == SIGUSR1 ? SIGUSR1 : SIGTERM) }
        // A reload that was asked for meanwhile went to nobody.
        if adopt != nil { await keeper.pass(SIGHUP) }
        let upkeep = Task { await client.maintain() }
        defer { upkeep.cancel() }
        ServiceManager.current?.notify(.ready)
        let end = try await keeper.run()
        await client.shutdown()
        guard case .handOver(let program, let agent) = end else { return }
        PendingSignals.hold()
        // One that has come already is on its way to the keeper.
        try? await Task.sleep(for: .milliseconds(100))
        if let signal = await keeper.stopSignal { kill(getpid(), signal) }
        try goOn(as: program, with: agent, state: state)
        withExtendedLifetime(lock) {}
    }

    /// Executes another version of this program in this process: the agent stays its child.
    private func goOn(as program: FileDescriptor, with agent: Int32, state: String) throws {
        Console.log("the keeper goes on in the other version")
        var words =
            ["epitope", "host", "keep", "--state", state, "--interval", "\(interval)", "--settle", "\(settle)", "--adopt", "\(agent)"]
        if !agentOptions.isEmpty { words += ["--"] + agentOptions }
        for name in (try? Folders.names("/proc/self/fd", maxCount: 65_536)) ?? [] {
            if let number = Int32(name), number > 2 { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        }
        PendingSignals.hold()
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        execv(program.path, &pointers)
        throw EpitopeError(
            .agentNotWell, "the other version of the keeper could not be executed: \(String(cString: strerror(errno)))",
            remedy: "the agent runs on; start the keeper again")
    }
}

extension AgentStatus {
    /// As the keeper judges it.
    var condition: AgentCondition {
        let levels: [ProtectionLevel] = [.tracepoints, .fmodRet, .hooks]
        return AgentCondition(processID: processID, rank: level.flatMap { levels.firstIndex(of: $0) } ?? 0, version: version)
    }
}
