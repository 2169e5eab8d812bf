import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import Foundation
import HostFrontEnd
import HostParameters
import KernelBackend
import Logging
import SeccompBackend
import UnixSignals

/// `epitope agent`: behaviour blocking for every process of the machine. A program of its own, since it runs as root: it
/// links no center.
@main
struct EpitopeAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epitope agent",
        abstract: "Protect every process of this machine by an eBPF program.",
        discussion: """
            Critical calls (exec, connect, send, bind, listen, accept, and sends by write, sendfile, splice or io_uring) \
            that come from memory that no file image stands behind are denied with EPERM where the kernel runs BPF LSM or lets its security functions be decided; \
            elsewhere they are reported, and with --without-hooks kill their process is killed right after. What made them is sent to the center. Needs root \
            and Linux 5.17. The kernel program judges alone: it goes on until the agent ends.
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
    @OptionGroup var containerOptions: ContainerOptions

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

    func run() async throws {
        if containerOptions.printSeccompProfile { return Console.say(try containerOptions.profile()) }
        let support = KernelSupport.current
        if check {
            for line in AgentStatus.describe(support) { Console.say(line) }
            return
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "epitope-agent")
        logger.logLevel = verbose ? .info : .warning
        let reporter = try HostReporter(stateOptions, packetOptions, logger: logger)
        let parameters = reporter.parameters
        let containers = try containerOptions.start(policy: Policy(action: action, uninspectable: uninspectable), parameters: parameters)
        if let containers, containerOptions.containersOnly { return await protectContainers(containers, reporter) }
        let chosen = ProtectionLevel(rawValue: level.rawValue) ?? support.level
        let canDeny = chosen.canDeny || action != .block
        let action = canDeny ? action : withoutHooks == .kill ? .kill : .watch
        let backend = try KernelBackend(
            policy: Policy(action: action, uninspectable: uninspectable), level: chosen,
            processParameters: { parameters.inspect(processID: $0, threadID: $1) })
        let file = StatusFile(directory: stateOptions.directory)
        Console.note("protecting every process by \(chosen.rawValue): \(support.reason)")
        if chosen == .tracepoints, let remedy = support.remedy {
            Console.note("calls can't be denied at this level. To have them denied: \(remedy)")
        }
        let ending = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                backend.stop()
                containers?.stop()
                break
            }
        }
        let notices = Task { for await notice in backend.notices { Console.note("\(notice)") } }
        let containerNotices = containers?.tell()
        let merged = containers.map { MergedReports($0, backend.stalledCalls) }
        let status = Task {
            while !Task.isCancelled {
                var status = AgentStatus(backend, action: action)
                status.counted.merge(merged?.counted ?? [:], uniquingKeysWith: +)
                file.write(status)
                try? await Task.sleep(for: .seconds(1))
            }
        }
        await reporter.report(merged?.calls ?? backend.stalledCalls)
        status.cancel()
        ending.cancel()
        notices.cancel()
        containerNotices?.cancel()
        file.remove()
        let statistics = backend.statistics
        if statistics.dropped > 0 { Console.note("\(statistics.dropped) reports were dropped: more came than could be read") }
        if verbose { Console.note("\(statistics.inspected) calls inspected, \(statistics.actedUpon) acted upon") }
    }
}
