// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BehaviourBlocking
import Glibc
import HostFrontEnd
import HostPolicy
import Logging
import ProcessContext
import SeccompBackend

/// `epitope run`: a command and all its children under behaviour blocking.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command with behaviour blocking for it and all its children.",
        discussion: """
            Critical calls (exec, connect, send, bind, listen, accept) that come from memory that no file image \
            stands behind are denied with EPERM, and what made them is sent to the center. Needs no privilege. \
            The exit status is the command's own.
            """)

    @OptionGroup var stateOptions: HostStateOptions
    @OptionGroup var packetOptions: PacketOptions

    @OptionGroup var policyOptions: PolicyOptions

    @Option(help: "copy leaves the code in the process; cut also overwrites it.")
    var extraction: ExtractionMode = .copy

    @Flag(help: "Say on standard error what is found, sent and counted.")
    var verbose = false

    @Argument(parsing: .postTerminator, help: "The command and its arguments, behind --.")
    var command: [String]

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("name the command to run behind --") }
    }

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "epitope")
        // A protected program's output is its own: by default only what went wrong is said beside it.
        logger.logLevel = verbose ? .info : .error
        let reporter = try HostReporter(stateOptions, packetOptions, logger: logger)
        let parameters = reporter.parameters
        let loaded = try policyOptions.load()
        let keeper = ExclusionMonitor(loaded.exclusions)
        for problem in keeper.problems where !problem.isAbsence { Console.note("\(problem)") }
        let backend = try SeccompBackend.launch(
            Command(command[0], Array(command.dropFirst())), policy: loaded.policy, extraction: extraction,
            forwardsSignals: true,
            excluded: { keeper.excludedEvidence(of: $0) },
            processParameters: { parameters.inspect(processID: $0, threadID: $1) })
        let notices = Task {
            for await notice in backend.notices { Console.note("\(notice)") }
        }
        async let reported: Void = reporter.report(backend.reports)
        let status = await backend.exitStatus()
        // Children that outlive the command stay protected: their calls need this process for an answer.
        await backend.allEnded()
        await reported
        notices.cancel()
        let statistics = backend.statistics
        if statistics.dropped > 0 {
            Console.note("\(statistics.dropped) reports were dropped: more calls were blocked than could be reported")
        }
        if verbose { Console.note("\(statistics.notified) critical calls, \(statistics.denied) denied") }
        Glibc.exit(status.shellCode)
    }
}
