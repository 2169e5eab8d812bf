// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import Glibc
import HostFrontEnd
import HostPipeline
import HostPolicy
import HostStore
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
            file on disk backs) are denied with EPERM, and the code that made them is sent to the center. Each is told on \
            standard error, with the command that would exclude it. Needs no privilege.

            Exit status: the command's own; 128 and the signal's number if a signal ended it; 127, the command was not \
            found; 126, it could not be executed; 125, it was not started for another reason; 64, wrong usage.
            """)

    @OptionGroup var stateOptions: HostStateOptions
    @OptionGroup var packetOptions: PacketOptions

    @OptionGroup var policyOptions: PolicyOptions

    @OptionGroup var extractionOptions: ExtractionOptions

    @Option(
        help: """
            Whether the command may reach into processes outside of it (ptrace, process_vm_writev, pidfd_getfd, /proc/PID/mem), \
            instead of what the policy file says: deny or allow. By default such a call is denied.
            """)
    var otherProcesses: Policy.OtherProcesses?

    @Option(
        help: ArgumentHelp(
            "Run the command as this user (as root): it can then read neither this host's key nor its packets.", valueName: "name"))
    var user: String?

    @Flag(help: "Print what is logged at the level info, and the counts of calls at the end.")
    var verbose = false

    @Flag(help: "Print nothing but errors on standard error: detections are in the event log alone (epitope host events).")
    var quiet = false

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String]

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("name the command to run after --") }
        guard !(verbose && quiet) else { throw ValidationError("use one of --verbose and --quiet") }
    }

    func run() async throws {
        SeccompBackend.outliveOutput()
        SeccompBackend.raiseLimits()
        do {
            try ResourceLimits.current.check()
            Glibc.exit(try await runToTheEnd().shellCode)
        } catch let error as EpitopeError {
            Console.error(error)
            Glibc.exit(Self.exitStatus(of: error))
        }
    }

    /// The exit status for a command that was not started, as shells and env(1) have it.
    private static func exitStatus(of error: EpitopeError) -> Int32 {
        switch error.code {
        case .commandNotFound: 127
        case .commandNotExecutable: 126
        default: notStarted
        }
    }

    /// The command was not started, for another reason than the command's own.
    static let notStarted: Int32 = 125

    private func runToTheEnd() async throws -> ExitStatus {
        LoggingSystem.bootstrap { _ in ConsoleLogHandler() }
        var logger = Logger(label: "epitope")
        // The output is the protected program's: by default only detections and errors are added to it.
        logger.logLevel = verbose ? .info : .error
        // Protection comes first: whatever of the settings or the state can't be used, the command runs under a policy.
        let problems = ProblemBook()
        let found = policyOptions.inForce(stateOptions, otherProcesses: otherProcesses)
        if let problem = found.problem { Console.log("\(problem)") }
        if let warning = ResourceLimits.current.storageWarning {
            problems.set("limits", warning)
            Console.log("\(warning)")
        }
        problems.set("policy", found.problem)
        let loaded = found.policy
        let commandUser = try user.map(CommandUser.init)
        var printer: DetectionPrinter?
        let reporter = HostReporter(
            stateOptions, packetOptions, problems: problems, protection: "run", applications: { loaded.policy.applicationsOn },
            logger: logger
        ) { centers in
            guard !quiet else { return { _ in } }
            let made = DetectionPrinter(place(centers))
            printer = made
            return { made.take($0) }
        }
        if !quiet { say(reporter, loaded) }
        let exclusions = ExclusionMonitor(loaded.exclusions)
        for problem in exclusions.actionableProblems { Console.log("\(problem)") }
        let backend: SeccompBackend
        do {
            backend = try SeccompBackend.launch(
                Command(command[0], Array(command.dropFirst()), user: commandUser),
                .init(
                    policy: loaded.policy, extraction: extractionOptions.settings(at: packetOptions.extractAt), forwardsSignals: true,
                    guardsOthers: true,
                    context: reporter.context,
                    exclusions: exclusions))
        } catch {
            await reporter.shutdown()
            throw error
        }
        let notices = Task { await tell(backend.notices, reporter) }
        let due = Task { [printer] in await printer?.printDue() }
        async let reported: Void = reporter.report(backend.reports, likely: backend.processID) {
            UnreportedCounts(suppressed: backend.statistics.suppressed, lost: backend.statistics.dropped)
        }
        let status = await backend.exitStatus()
        // Children that outlive the command stay protected: this process answers their calls.
        await backend.allEnded()
        await reported
        await notices.value
        due.cancel()
        printer?.printWaiting(atEnd: true)
        conclude(backend.statistics)
        return status
    }

    /// What a person should know before the command runs.
    private func say(_ reporter: HostReporter, _ loaded: HostPolicy) {
        if let notice = reporter.enrolmentNotice { Console.log(notice) }
        if let openness = stateOptions.openness { Console.log("\(openness)") }
        if loaded.policy.onlyWatches { Console.log("watching only: attacks are reported, and allowed") }
        if let words = loaded.policy.applicationsInWords { Console.log("by the policy, \(words)") }
    }

    /// Prints and logs notices; of many alike, the sum.
    private func tell(_ notices: AsyncStream<SeccompBackend.Notice>, _ reporter: HostReporter) async {
        var limiter = ParagraphLimiter()
        func tell(_ event: HostEvent) {
            reporter.record(event)
            Console.log(event.inWords)
        }
        func tellSum(_ event: HostEvent, atEnd: Bool = false) {
            guard let sum = limiter.sum(nowMilliseconds: EventLog.now().milliseconds, atEnd: atEnd) else { return }
            var summed = event
            (summed.time, summed.message) = (EventLog.now(), sum)
            tell(summed)
        }
        var last: HostEvent?
        for await notice in notices {
            let event = HostEvent(notice, time: EventLog.now())
            tellSum(event)
            if limiter.tells(event, nowMilliseconds: event.time.milliseconds) { tell(event) }
            last = event
        }
        if let last { tellSum(last, atEnd: true) }
    }

    private func conclude(_ statistics: SeccompBackend.Statistics) {
        if statistics.dropped > 0 {
            Console.log("\(statistics.dropped) reports were dropped: more calls were detected than could be reported")
        }
        if statistics.suppressed > 0, !quiet {
            Console.log(
                "\(statistics.suppressed) more detections were answered and not reported: the same calls, or more than a program may report"
            )
        }
        if statistics.cutFailed > 0 {
            Console.log(
                "the code of \(statistics.cutFailed) of \(statistics.cut + statistics.cutFailed) denied calls could not be overwritten; "
                    + "epitope host events shows why")
        }
        if verbose { Console.log("\(statistics.notified) critical calls, \(statistics.denied) denied") }
    }

    private func place(_ centers: [String: String]) -> DetectionNarrator.Place {
        let state = stateOptions.state.map { ["--state", $0] } ?? []
        let policy = policyOptions.policy.map { ["--policy", $0] } ?? []
        return .init(
            centers: centers, destinations: packetOptions.sendTo.destinations.map(\.rawValue),
            options: (state + policy).map(\.quotedForShell),
            directory: stateOptions.directory)
    }
}

extension HostEvent {
    /// The event of a notice.
    fileprivate init(_ notice: SeccompBackend.Notice, time: EventTime) {
        switch notice {
        case .uninspectable(let call, let threadID, _, _):
            self.init(.uninspectable, time: time)
            (self.call, processID) = (call.rawValue, threadID)
        case .otherProcess(let call, let processID, let target, _):
            self.init(.otherProcess, time: time)
            (self.call, self.processID) = (call.rawValue, processID)
            self.target = target.map { "process \($0)" }
        }
        action = (notice.wasDenied ? ProtectiveAction.blocked : .watched).rawValue
        message = "\(notice)" + (notice.wasDenied ? "; \(Self.remedy(of: notice))" : "")
    }

    private static func remedy(of notice: SeccompBackend.Notice) -> String {
        switch notice {
        case .uninspectable:
            "if its program closes its memory by design: --uninspectable allow, or an exclusion (Documentation/Operating/Policy.md)"
        case .otherProcess: "if the command is to reach into it: --other-processes allow"
        }
    }
}
