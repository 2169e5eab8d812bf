// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import Foundation
import HostFrontEnd
import HostPolicy
import KernelBackend
import Logging
import ProcessContext
import SeccompBackend

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
    @OptionGroup var containerOptions: ContainerOptions
    @OptionGroup var lifeCycle: LifeCycleOptions

    @OptionGroup var policyOptions: PolicyOptions

    /// What is done where calls can't be denied.
    enum WithoutHooks: String, CaseIterable, ExpressibleByArgument {
        case watch
        case kill
    }

    @Option(help: "What becomes of block where the kernel has no security hooks: watch only, or kill the process.")
    var withoutHooks: WithoutHooks = .watch

    @Option(
        help:
            "Where calls are seen: by security hooks, by the functions that call them, by tracepoints, or by the best that the kernel offers."
    )
    var level: LevelOption = .best

    @Flag(help: "Say which level this kernel offers, why, and what to change for the better one; then end.")
    var check = false

    @Flag(help: "Say on standard error what is found, sent and counted.")
    var verbose = false

    /// Rights belong to threads: until ``PrivilegeDrop`` this thread must stay the only one.
    mutating func run() throws {
        AgentEnvironment.clean()
        if containerOptions.printSeccompProfile { return Console.say(try containerOptions.profile()) }
        let support = KernelSupport.current
        if check {
            for line in AgentStatus.describe(support) { Console.say(line) }
            return
        }
        let store = DescriptorStore.current()
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "epitope-agent")
        logger.logLevel = verbose ? .info : .warning
        PendingSignals.keep()
        let place = try AgentDirectories(lifeCycle, &stateOptions)
        let file = StatusFile(directory: stateOptions.directory)
        if lifeCycle.release { return try place.release(file) }
        let loaded = try policyOptions.load()
        let parameters = try HostReporter.parameters(stateOptions, packetOptions)
        if containerOptions.containersOnly {
            _ = try PrivilegeDrop.apply()
            let reporter = try HostReporter(stateOptions, packetOptions, parameters: parameters, logger: logger)
            return try protectContainers(loaded, reporter, store)
        }
        let chosen = ProtectionLevel(rawValue: level.rawValue) ?? support.level
        let adapted = { @Sendable [withoutHooks] (policy: Policy) in
            var policy = policy
            if policy.action == .block, !chosen.canDeny { policy.action = withoutHooks == .kill ? .kill : .watch }
            return policy
        }
        let policy = adapted(loaded.policy)
        let backend = try KernelBackend(
            policy: policy, level: chosen, heldIn: place.heldIn, beginsAtOnce: false,
            processParameters: { parameters.inspect(processID: $0, threadID: $1) })
        let missing = try PrivilegeDrop.apply(threadsLeftBehind: backend.threadsLeftBehind)
        if !missing.isEmpty { Console.note("the agent was started without \(missing): it may not see, or not reach, some processes") }
        if let early = PendingSignals.taken { return try place.endEarly(by: early, file) }
        // What starts threads comes after.
        let reporter = try HostReporter(stateOptions, packetOptions, parameters: parameters, logger: logger)
        let keeper = ExclusionMonitor(loaded.exclusions)
        for problem in keeper.problems where !problem.isAbsence { Console.note("\(problem)") }
        try backend.set(keeper.table)
        // An agent that is replaced has the socket until then.
        let listen = { [containerOptions] in
            try containerOptions.start(policy: loaded.policy, keeper: keeper, parameters: parameters, store: store)
        }
        var containers = lifeCycle.replace ? nil : try listen()
        try backend.begin(takingOver: place.takeOver)
        if lifeCycle.replace { containers = try listen() }
        Console.note("policy: \(loaded.summary)")
        Console.note("protecting every process by \(chosen.rawValue): \(support.reason)")
        if chosen == .tracepoints, let remedy = support.remedy {
            Console.note("calls can't be denied at this level. To have them denied: \(remedy)")
        }
        let upkeep = PolicyReloader(
            options: policyOptions, keeper: keeper,
            set: { [containers] policy in
                try backend.set(adapted(policy))
                containers?.set(policy)
            }, exclusion: { try backend.set($0) })
        let merged = containers.map { MergedReports($0, backend.detections) }
        let session = AgentSession(
            backend, containers: containers, counted: { merged?.counted ?? [:] }, upkeep: upkeep, heldIn: place.heldIn, file: file)
        Waiting.untilDone { await session.run({ await reporter.report(merged?.calls ?? backend.detections) }, stopped: place.leave) }
        let statistics = backend.statistics
        if statistics.dropped > 0 { Console.note("\(statistics.dropped) reports were dropped: more came than could be read") }
        if verbose { Console.note("\(statistics.inspected) calls inspected, \(statistics.actedUpon) acted upon") }
    }
}
