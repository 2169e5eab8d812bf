import AgentLifeCycle
import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import Foundation
import HostFrontEnd
import HostParameters
import KernelBackend
import Logging

/// `epitope agent`: behaviour blocking for every process of the machine. A program of its own, since it runs as root: it
/// links no center.
@main
struct EpitopeAgent: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epitope agent",
        abstract: "Protect every process of this machine by an eBPF program.",
        discussion: """
            Critical calls (exec, connect, send, bind, listen, accept, and sends by write, sendfile, splice or io_uring) \
            that come from memory that no file image stands behind are denied with EPERM where the kernel runs BPF LSM or lets its security functions be decided; \
            elsewhere they are reported, and with --without-hooks kill their process is killed right after. What made them is sent to the center. Needs root \
            and Linux 5.17. The kernel program judges alone: where a bpffs holds it (--pins), it goes on when the agent is killed, \
            and the next one takes it over. SIGTERM and SIGINT end protection; SIGUSR1 ends the agent and leaves protection in force.
            """)

    /// The level that is asked for.
    enum LevelOption: String, CaseIterable, ExpressibleByArgument {
        case best
        case hooks
        case functions
        case tracepoints
    }

    @OptionGroup var stateOptions: HostStateOptions
    @OptionGroup var packetOptions: PacketOptions
    @OptionGroup var lifeCycle: LifeCycleOptions

    @Option(help: "What is done about an attack: block; stop or kill the process, too; or watch only.")
    var action: Policy.Action = .block

    /// What is done where calls can't be denied.
    enum WithoutHooks: String, CaseIterable, ExpressibleByArgument {
        case watch
        case kill
    }

    @Option(help: "What becomes of block where the kernel has no security hooks: watch only, or kill the process.")
    var withoutHooks: WithoutHooks = .watch

    @Option(help: "What is done about a call that can't be inspected: deny (by hooks only) or allow. It is told in any case.")
    var uninspectable: Policy.Uninspectable = .deny

    @Option(help: "Where calls are seen: by security hooks, by the functions that call them, by tracepoints, or by the best that the kernel offers.")
    var level: LevelOption = .best

    @Flag(help: "Say which level this kernel offers, why, and what to change for the better one; then end.")
    var check = false

    @Flag(help: "Say on standard error what is found, sent and counted.")
    var verbose = false

    /// Rights belong to threads: until ``PrivilegeDrop`` this thread must stay the only one.
    mutating func run() throws {
        AgentEnvironment.clean()
        let support = KernelSupport.current
        if check {
            for line in AgentStatus.describe(support) { Console.say(line) }
            return
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "epitope-agent")
        logger.logLevel = verbose ? .info : .warning
        EarlySignals.keep()
        let place = try AgentPlace(lifeCycle, &stateOptions)
        let file = StatusFile(directory: stateOptions.directory)
        if lifeCycle.release { return try place.release(file) }
        let parameters = try HostReporter.parameters(stateOptions, packetOptions)
        let chosen = ProtectionLevel(rawValue: level.rawValue) ?? support.level
        let canDeny = chosen.canDeny || action != .block
        let action = canDeny ? action : withoutHooks == .kill ? .kill : .watch
        let backend = try KernelBackend(
            policy: Policy(action: action, uninspectable: uninspectable), level: chosen, heldIn: place.heldIn, beginsAtOnce: false,
            processParameters: { parameters.inspect(processID: $0, threadID: $1) })
        let missing = try PrivilegeDrop.apply(threadsLeftBehind: backend.threadsLeftBehind)
        if !missing.isEmpty { Console.note("the agent was started without \(missing): it may not see, or not reach, some processes") }
        if let early = EarlySignals.taken { return try place.endEarly(by: early, file) }
        // What starts threads comes after.
        let reporter = try HostReporter(stateOptions, packetOptions, parameters: parameters, logger: logger)
        try backend.begin(takingOver: place.takeOver)
        Console.note("protecting every process by \(chosen.rawValue): \(support.reason)")
        if chosen == .tracepoints, let remedy = support.remedy {
            Console.note("calls can't be denied at this level. To have them denied: \(remedy)")
        }
        let session = AgentSession(backend, action: action, heldIn: place.heldIn, file: file)
        Waiting.untilDone { await session.run({ await reporter.report(backend.stalledCalls) }, stopped: place.leave) }
        let statistics = backend.statistics
        if statistics.dropped > 0 { Console.note("\(statistics.dropped) reports were dropped: more came than could be read") }
        if verbose { Console.note("\(statistics.inspected) calls inspected, \(statistics.actedUpon) acted upon") }
    }
}
