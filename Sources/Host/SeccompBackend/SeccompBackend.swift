// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CSeccomp
public import EpitopeModel
import Glibc
import Scheduling

/// Behaviour blocking by seccomp user notification: a command and all its children, whose critical calls are stalled
/// by the kernel until they have been inspected and answered.
///
/// Needs Linux 5.5 and no privilege (the command then runs with no_new_privs, so that set-user-ID programs don't gain
/// their rights); with CAP_SYS_ADMIN no_new_privs isn't set. Where this process ends first, the kernel answers the
/// command's critical calls with ENOSYS: it fails closed.
///
/// Not seen here: `write` and `sendfile` on sockets, calls through io_uring, and x32 calls (they fail with ENOSYS).
public final class SeccompBackend: BehaviourBlockingBackend {
    /// What is counted from the start on.
    public struct Statistics: Hashable, Sendable {
        /// Critical calls stalled.
        public var notified: UInt64 = 0
        /// Calls that failed with EPERM by the verdict or by ``Policy/uninspectable``.
        public var denied: UInt64 = 0
        /// Reports not made, since the same caller had been reported just before. The calls were answered.
        public var suppressed: UInt64 = 0
        /// Reports that the stream's bounded buffer had no room for.
        public var dropped: UInt64 = 0
        /// Calls of processes that could not be inspected.
        public var uninspectable: UInt64 = 0
        /// Cuts that the kernel didn't carry out whole. The calls were denied.
        public var cutFailed: UInt64 = 0
        /// Processes that could not be stopped or killed. Their calls were denied.
        public var signalFailed: UInt64 = 0
    }

    /// Something that a person should know, though it is no report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        case uninspectable(call: CriticalCall, threadID: Int32, reason: String, wasDenied: Bool)

        public var description: String {
            switch self {
            case .uninspectable(let call, let threadID, let reason, let wasDenied):
                "\(call.rawValue) of thread \(threadID) was \(wasDenied ? "denied" : "let through"): "
                    + "the process could not be inspected (\(reason))"
            }
        }
    }

    /// How many reports, and notices, wait for a reader. When there are more, the newest are dropped and counted.
    public static let bufferedCalls = 256

    /// The command's process.
    public let processID: Int32
    public let detections: AsyncStream<Detection>
    /// The detections as reports. They need no acknowledgement: they are lost with this process.
    public var reports: some AsyncSequence<DetectionReport, Never> & Sendable { detections.map { DetectionReport($0) } }
    public let notices: AsyncStream<Notice>

    private let counters: SupervisionCounters
    private let status: Completion<ExitStatus>
    private let ended: Completion<Void>

    /// What was counted so far.
    public var statistics: Statistics { counters.now }

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
    /// - Parameters:
    ///   - command: the program's name or path, arguments, environment and standard streams.
    ///   - policy: what is done about calls.
    ///   - extraction: whether the code stays in the process.
    ///   - forwardsSignals: passes SIGINT, SIGTERM, SIGHUP and SIGQUIT on to the command until it ends. It is
    ///     process-wide: for a program whose purpose is this one command.
    ///   - excluded: the kinds of evidence that don't count for a process; asked, on the supervisor's thread, while a
    ///     call is stalled that would be denied or reported.
    ///   - processParameters: reads what a report says of a process (its id, the thread's id), on the supervisor's
    ///     thread, while the call is stalled. The default gives the ids only.
    /// - Throws: `command-not-found`, `command-not-executable`, `seccomp-busy`, `seccomp-unavailable`, `launch-failed`.
    public static func launch(
        _ command: Command, policy: Policy = .default, extraction: ExtractionMode = .copy,
        forwardsSignals: Bool = false,
        excluded: @escaping @Sendable (_ processID: Int32) -> Set<EvidenceKind> = { _ in [] },
        processParameters: @escaping @Sendable (_ processID: Int32, _ threadID: Int32) -> ProcessParameters = {
            ProcessParameters(processID: $0, threadID: $1)
        }
    ) throws(EpitopeError) -> SeccompBackend {
        var child = try Launcher.start(command)
        let (calls, callsEnd) = AsyncStream.makeStream(
            of: Detection.self, bufferingPolicy: .bufferingOldest(bufferedCalls))
        let (notices, noticesEnd) = AsyncStream.makeStream(
            of: Notice.self, bufferingPolicy: .bufferingOldest(bufferedCalls))
        let counters = SupervisionCounters()
        let supervisor = Supervisor(
            listener: child.listener, policy: { policy }, extraction: extraction, excluded: excluded,
            processParameters: processParameters,
            outlet: .init(
                report: { if case .enqueued = callsEnd.yield($0) { true } else { false } },
                notify: { noticesEnd.yield($0) }),
            counters: counters)
        let ended = Completion<Void>()
        let status = Completion<ExitStatus>()
        do {
            try SupervisionThread.start {
                supervisor.run()
                callsEnd.finish()
                noticesEnd.finish()
                ended.complete(())
            }
        } catch {
            // Nobody will answer: the child's exec fails with ENOSYS as the listener closes.
            close(child.listener)
            try? Launcher.finish(&child, command)
            throw error
        }
        try Launcher.finish(&child, command)
        let processID = child.pid
        if forwardsSignals { epitope_forward_signals(processID) }
        try SupervisionThread.start {
            let ending = epitope_wait(processID)
            if forwardsSignals { epitope_forward_signals(0) }
            status.complete(ExitStatus(waited: ending))
        }
        return SeccompBackend(
            processID: processID, detections: calls, notices: notices, counters: counters, status: status, ended: ended)
    }

    private init(
        processID: Int32, detections: AsyncStream<Detection>, notices: AsyncStream<Notice>, counters: SupervisionCounters,
        status: Completion<ExitStatus>, ended: Completion<Void>
    ) {
        self.processID = processID
        self.detections = detections
        self.notices = notices
        self.counters = counters
        self.status = status
        self.ended = ended
    }
}
