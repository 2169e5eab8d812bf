// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CSeccomp
import Dispatch
public import EpitopeModel
import Glibc
import ProcessInspection
import Scheduling
import Synchronization

/// Behaviour blocking by seccomp user notification: a command and all its children, whose critical calls are stalled
/// by the kernel until they have been inspected and answered.
///
/// Needs Linux 5.5 and no privilege (the command then runs with no_new_privs, so that set-user-ID programs don't gain
/// their rights); with CAP_SYS_ADMIN no_new_privs isn't set. If this process ends first, the kernel answers the
/// command's critical calls with ENOSYS: it fails closed.
///
/// Not inspected here: `write` and `sendfile` on sockets, and calls through io_uring. x32 calls fail with ENOSYS.
public final class SeccompBackend: BehaviourBlockingBackend {
    /// How calls are judged, and who describes the processes that are reported.
    public struct Configuration: Sendable {
        public var policy: Policy
        public var extraction: ExtractionSettings
        /// Passes SIGINT, SIGTERM, SIGHUP and SIGQUIT on to the command until it ends. It is process-wide: for a program
        /// whose purpose is this one command.
        public var forwardsSignals: Bool
        /// Guards this process, and other processes outside of the command, from the command: this process's memory is closed to
        /// others of its user, and calls by which the command reaches into a process outside of it are critical calls
        /// (``Policy/OtherProcesses``). Where the kernel has Landlock (6.12), it keeps the command from reaching out itself, and
        /// from signalling; unless the policy allows or only watches. It is process-wide: for a program whose purpose is this one
        /// command.
        public var guardsOthers: Bool
        /// Asked on the supervisor's thread, while a call is stalled that will be reported.
        public var context: any ProcessContextProviding
        /// Asked on the supervisor's thread, while a call is stalled that would be denied or reported.
        public var exclusions: any ExclusionProviding

        public init(
            policy: Policy = .default, extraction: ExtractionSettings = .copy, forwardsSignals: Bool = false,
            guardsOthers: Bool = false,
            context: any ProcessContextProviding = NumbersOnly(), exclusions: any ExclusionProviding = FixedExclusions()
        ) {
            self.policy = policy
            self.extraction = extraction
            self.forwardsSignals = forwardsSignals
            self.guardsOthers = guardsOthers
            self.context = context
            self.exclusions = exclusions
        }
    }

    /// How many reports, and how many notices, wait for a reader. When there are more, the newest are dropped and counted.
    public static let maxBufferedReports = 1536

    /// The command's process.
    public let processID: Int32
    /// Bounded; ends when the backend ends.
    public var detections: AsyncStream<Detection> { streams.detections }
    /// The detections as reports. They need no acknowledgement: they are lost with this process.
    public var reports: some AsyncSequence<DetectionReport, Never> & Sendable { detections.map { DetectionReport($0) } }
    /// Bounded; ends when the backend ends.
    public var notices: AsyncStream<Notice> { streams.notices }

    private let streams: ReportStreams<Notice>
    private let counters: SupervisionCounters
    private let status = Completion<ExitStatus>()
    private let ended = Completion<Void>()

    /// The counts so far.
    public var statistics: Statistics { counters.current }

    /// How the command ended.
    public func exitStatus() async -> ExitStatus {
        await status.value()
    }

    /// Waits until the command and all its children have ended, and every call of theirs was answered.
    public func allEnded() async {
        await ended.value()
    }

    /// Starts a command under the filter and returns when it runs. Blocks for the time of an exec.
    ///
    /// - Parameter command: the program's name or path, arguments, environment and standard streams.
    /// - Throws: `command-not-found`, `command-not-executable`, `seccomp-busy`, `seccomp-unavailable`, `inspection-not-permitted`,
    ///   `foreign-proc`, `launch-failed`.
    public static func launch(
        _ command: Command, _ configuration: Configuration = Configuration()
    ) throws(EpitopeError) -> SeccompBackend {
        try ProcessTable.requireOwn()
        try InspectionRights.current.requireAny(for: command)
        // Before there is anybody to be guarded from.
        if configuration.guardsOthers { try guardSelf() }
        let confines = configuration.policy.otherProcesses == .deny && configuration.policy.action != .watch && canConfine
        var child = try Launcher.start(
            command, guards: .init(seesIntrusions: configuration.guardsOthers, confines: configuration.guardsOthers && confines))
        let backend = SeccompBackend(processID: child.pid)
        let outcome = ExecOutcome()
        do {
            // Every thread is there before the command runs: it runs under all of them, or not at all.
            try backend.awaitExit(after: outcome, forwardingSignals: configuration.forwardsSignals, adopting: configuration.guardsOthers)
            try backend.superviseCalls(from: child.listener, configuration)
        } catch {
            outcome.set(runs: false)
            // Nobody will answer: the child's exec fails with ENOSYS as the listener closes.
            close(child.listener)
            try? Launcher.finish(&child, command)
            throw error
        }
        do {
            try Launcher.finish(&child, command)
        } catch {
            outcome.set(runs: false)
            throw error
        }
        if configuration.forwardsSignals { epitope_forward_signals(child.pid) }
        outcome.set(runs: true)
        return backend
    }

    /// Whether the kernel itself can keep a command from reaching into processes outside of it (``Configuration/guardsOthers``).
    public static var canConfine: Bool { epitope_can_confine() }

    /// Has this process live on when its output is lost, since the command would lose its protection, and its calls, with it. It is
    /// process-wide: for a program whose purpose is one command.
    public static func outliveOutput() { epitope_outlive_output() }

    /// Raises this process's own limits on open files, the length of files and processor time as far as it may: they are meant for
    /// the command, which gets them as they were. It is process-wide, as ``outliveOutput()``.
    public static func raiseLimits() { epitope_raise_limits() }

    private static func guardSelf() throws(EpitopeError) {
        let error = epitope_guard_self()
        guard error == 0 else {
            throw EpitopeError(
                .launchFailed, "this process could not be guarded: \(String(cString: strerror(-error)))",
                remedy: "run it where prctl(2) is allowed, outside of other sandboxes")
        }
    }

    private init(processID: Int32) {
        self.processID = processID
        streams = ReportStreams(maxBuffered: Self.maxBufferedReports)
        counters = SupervisionCounters()
    }

    /// Starts the thread that handles the command's calls.
    private func superviseCalls(from listener: Int32, _ configuration: Configuration) throws(EpitopeError) {
        let supervisor = Supervisor(
            listener: listener,
            .init(
                policy: CurrentPolicy(configuration.policy), extraction: configuration.extraction, context: configuration.context,
                exclusions: configuration.exclusions, counters: counters,
                intrusions: configuration.guardsOthers ? IntrusionFinder(tree: CommandTree()) : nil),
            reportingTo: streams)
        try SupervisionThread.start { [streams, ended] in
            supervisor.run()
            streams.finish()
            ended.complete(())
        }
    }

    /// Starts the thread that waits for the command's end, and for that of its processes whose parents have ended, once the command
    /// has come to run.
    private func awaitExit(after outcome: ExecOutcome, forwardingSignals: Bool, adopting: Bool) throws(EpitopeError) {
        try SupervisionThread.start { [processID, status] in
            guard outcome.runs else { return }
            if adopting { Self.reapOthers(until: processID) }
            let waited = epitope_wait(processID)
            if forwardingSignals { epitope_forward_signals(0) }
            status.complete(ExitStatus(waited: waited))
            if adopting { Self.reapOthers(until: nil) }
        }
    }

    /// Reaps ended processes that this one has adopted, until the command has ended, or there is no child any more. Programs that
    /// this process itself started are left to whoever waits for them.
    private static func reapOthers(until command: Int32?) {
        let tree = CommandTree()
        while case let child = epitope_ended_child(), child > 0, child != command {
            if tree.adopted(child) { _ = epitope_wait(child) } else { usleep(maxPollMicroseconds) }
        }
    }

    /// How long an ended program of this process's own may wait for its waiter between two looks.
    private static let maxPollMicroseconds: useconds_t = 10_000
}

/// Whether a command came to run. Who asks waits until that is known.
private final class ExecOutcome: Sendable {
    private let known = DispatchSemaphore(value: 0)
    private let value = Mutex(false)

    func set(runs: Bool) {
        value.withLock { $0 = runs }
        known.signal()
    }

    /// For one thread to ask, once.
    var runs: Bool {
        known.wait()
        return value.withLock(\.self)
    }
}
