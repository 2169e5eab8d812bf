// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import HostPipeline
import HostPolicy
import KernelBackend
import Logging
import ProcessContext
import SeccompBackend

/// The phases of the agent, in order: prepare, configure, load, drop privileges, serve.
extension EpitopeAgent {
    /// What the other phases build on.
    struct Preparation {
        /// Read before any descriptor is opened: those that the service manager passed have fixed numbers.
        let descriptorStore: DescriptorStore?
        /// Determined while all rights are there: it may load a program.
        let support: KernelSupport
        let logger: Logger
        let directories: AgentDirectories
        let statusFile: StatusFile
        /// What doesn't work, although the agent protects.
        let problems = ProblemBook()
    }

    /// The settings, read from files while all rights are there.
    struct Configuration {
        let loaded: HostPolicy
        let context: ProcessContextCollector

        /// Looks up the subjects of the exclusions, and prints what is wrong with them.
        func watchExclusions() -> ExclusionMonitor {
            let monitor = ExclusionMonitor(loaded.exclusions)
            for problem in monitor.actionableProblems { Console.log("\(problem)") }
            return monitor
        }
    }

    /// Catches signals, and locks the folders against other agents.
    mutating func prepare() throws -> Preparation {
        let store = DescriptorStore.current()
        let support = KernelSupport.current
        LoggingSystem.bootstrap(PrintableLogHandler.init)
        var logger = Logger(label: "epitope-agent")
        logger.logLevel = verbose ? .info : .warning
        PendingSignals.install()
        let directories = try AgentDirectories(lifeCycle, &stateOptions)
        return Preparation(
            descriptorStore: store, support: support, logger: logger, directories: directories,
            statusFile: StatusFile(directory: stateOptions.directory))
    }

    /// Protection comes first: whatever of the settings can't be used, there is something that stands in for it.
    func configure(_ preparation: Preparation) -> Configuration {
        let found = policyOptions.inForce(stateOptions)
        if let problem = found.problem { Console.log("\(problem)") }
        preparation.problems.set(PolicyReloader.part, found.problem)
        return Configuration(loaded: found.policy, context: HostReporter.contextCollector(stateOptions, packetOptions))
    }

    /// Loads the kernel program, which judges no calls yet. Starts no threads that stay.
    func load(_ preparation: Preparation, _ configuration: Configuration) throws -> KernelBackend {
        let chosen = ProtectionLevel(rawValue: level.rawValue) ?? preparation.support.level
        return try KernelBackend(
            policy: Self.adapted(configuration.loaded.policy, to: chosen, withoutHooks), level: chosen,
            extraction: extractionOptions.settings(at: packetOptions.extractAt), pinnedAt: preparation.directories.pinnedAt,
            beginsAtOnce: false, context: configuration.context)
    }

    /// Gives up the capabilities that only loading needed.
    func dropPrivileges(_ backend: KernelBackend) throws {
        let missing = try PrivilegeDrop.apply(
            cutsCode: extractionOptions.extraction == .cut, threadsLeftBehind: backend.threadsLeftBehind)
        if !missing.isEmpty {
            Console.log("the agent was started without \(missing): it may be unable to inspect or signal some processes")
        }
    }

    /// Starts threads, replaces another agent if that was asked for, and works until the agent ends.
    func serve(_ backend: KernelBackend, _ preparation: Preparation, _ configuration: Configuration) throws {
        let reporter = HostReporter(
            stateOptions, packetOptions, context: configuration.context, problems: preparation.problems,
            protection: backend.level.rawValue, applications: { backend.policy.applicationsOn }, logger: preparation.logger)
        if let notice = reporter.enrolmentNotice { Console.log(notice) }
        do {
            try serve(backend, preparation, configuration, reportingTo: reporter)
        } catch {
            runBlocking { await reporter.shutdown() }
            throw error
        }
    }

    private func serve(
        _ backend: KernelBackend, _ preparation: Preparation, _ configuration: Configuration, reportingTo reporter: HostReporter
    ) throws {
        let directories = preparation.directories
        let exclusions = configuration.watchExclusions()
        try backend.setExclusions(exclusions.table, lookingUp: exclusions.evidenceExcludedByLibraries(ofProcess:))
        let containers = try listenToContainers(preparation, configuration, exclusions) {
            try backend.begin(replacing: directories.replaceOther)
        }
        printProtection(backend.level, preparation.support, configuration.loaded)
        let merged = containers.map { MergedReports($0, backend.reports) }
        let session = AgentSession(
            backend, containers: containers, containerCounts: { merged?.counted ?? [:] },
            reloader: reloader(backend, containers, exclusions, preparation.problems), pinnedAt: directories.pinnedAt,
            file: preparation.statusFile, problems: reporter.problems)
        // The kernel program may have counted for an earlier agent.
        let before = Self.unreported(backend.statistics, nil, 0)
        let unreported = { @Sendable [containers] in
            Self.unreported(backend.statistics, containers?.statistics.calls, merged?.lost ?? 0) - before
        }
        runBlocking {
            await session.run(
                { await reporter.report(merged?.reports ?? backend.reports, unreported: unreported) }, onStopped: directories.leave)
        }
        let statistics = backend.statistics
        if statistics.dropped > 0 { Console.log("\(statistics.dropped) reports were dropped: more came than could be read") }
        if verbose { Console.log("\(statistics.inspected) calls inspected, \(statistics.actedUpon) acted upon") }
    }

    /// Listens to the runtimes of containers, where that is asked for.
    ///
    /// - Parameter takeOver: takes the place of an agent that is replaced, which has the socket until it ends.
    func listenToContainers(
        _ preparation: Preparation, _ configuration: Configuration, _ exclusions: ExclusionMonitor, _ takeOver: () throws -> Void
    ) throws -> SeccompAgent? {
        let listen = {
            try containerOptions.start(
                policy: configuration.loaded.policy, extraction: extractionOptions.settings(at: packetOptions.extractAt),
                keeper: exclusions, context: configuration.context, store: preparation.descriptorStore)
        }
        let first = lifeCycle.replace ? nil : try listen()
        try takeOver()
        return lifeCycle.replace ? try listen() : first
    }

    private func printProtection(_ level: ProtectionLevel, _ support: KernelSupport, _ loaded: HostPolicy) {
        Console.log("policy: \(loaded.summary)")
        Console.log("protecting every process by \(level.rawValue): \(support.reason)")
        if level == .tracepoints, let remedy = support.remedy {
            Console.log("calls can't be denied at this level. To deny them: \(remedy)")
        }
    }

    /// Reports that were not made, since the same call had been reported before, and reports that were lost.
    static func unreported(
        _ kernel: KernelBackend.Statistics?, _ containers: SeccompBackend.Statistics?, _ lost: UInt64
    ) -> UnreportedCounts {
        UnreportedCounts(
            suppressed: (kernel?.repeated ?? 0) + (containers?.suppressed ?? 0),
            lost: (kernel?.dropped ?? 0) + (containers?.dropped ?? 0) + lost)
    }

    private func reloader(
        _ backend: KernelBackend, _ containers: SeccompAgent?, _ exclusions: ExclusionMonitor, _ problems: ProblemBook
    ) -> PolicyReloader {
        PolicyReloader(
            options: policyOptions, stateOptions: stateOptions, monitor: exclusions, problems: problems,
            applyPolicy: { [withoutHooks] policy in
                try backend.setPolicy(Self.adapted(policy, to: backend.level, withoutHooks))
                containers?.set(policy)
            }, applyExclusions: { try backend.setExclusions($0, lookingUp: exclusions.evidenceExcludedByLibraries(ofProcess:)) })
    }

    /// The policy with the action that is possible at a level.
    private static func adapted(_ policy: Policy, to level: ProtectionLevel, _ withoutHooks: WithoutHooks) -> Policy {
        guard !level.canDeny else { return policy }
        return policy.mappingActions { $0 == .block ? (withoutHooks == .kill ? .kill : .watch) : $0 }
    }
}
