// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BehaviourBlocking
import Glibc
import HostFrontEnd
import HostPolicy
import Logging
import ProcessContext
import SeccompBackend

/// `epitope run`: runs a command and all its children under behaviour blocking.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command with behaviour blocking for it and all its children.",
        discussion: """
            Critical calls (exec, connect, send, bind, listen, accept) from unbacked memory (executable memory that no \
            file on disk backs) are denied with EPERM, and the code that made them is sent to the center. Needs no \
            privilege. The exit status is the command's own.
            """)

    @OptionGroup var stateOptions: HostStateOptions
    @OptionGroup var packetOptions: PacketOptions

    @OptionGroup var policyOptions: PolicyOptions

    @Option(help: "How malicious code is extracted: copy leaves it in the process; cut also overwrites it.")
    var extraction: ExtractionMode = .copy

    @Flag(help: "Print notices on standard error, and the counts of calls at the end.")
    var verbose = false

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String]

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("name the command to run after --") }
    }

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "epitope")
        // The output is the protected program's: by default only errors are added to it.
        logger.logLevel = verbose ? .info : .error
        let loaded = try policyOptions.load()
        let reporter = try HostReporter(stateOptions, packetOptions, logger: logger)
        let exclusions = ExclusionMonitor(loaded.exclusions)
        for problem in exclusions.actionableProblems { Console.log("\(problem)") }
        let backend: SeccompBackend
        do {
            backend = try SeccompBackend.launch(
                Command(command[0], Array(command.dropFirst())),
                .init(
                    policy: loaded.policy, extraction: extraction, forwardsSignals: true, context: reporter.context,
                    exclusions: exclusions))
        } catch {
            await reporter.shutdown()
            throw error
        }
        let notices = Task {
            for await notice in backend.notices { Console.log("\(notice)") }
        }
        async let reported: Void = reporter.report(backend.reports)
        let status = await backend.exitStatus()
        // Children that outlive the command stay protected: this process answers their calls.
        await backend.allEnded()
        await reported
        notices.cancel()
        let statistics = backend.statistics
        if statistics.dropped > 0 {
            Console.log("\(statistics.dropped) reports were dropped: more calls were blocked than could be reported")
        }
        if verbose { Console.log("\(statistics.notified) critical calls, \(statistics.denied) denied") }
        Glibc.exit(status.shellCode)
    }
}
