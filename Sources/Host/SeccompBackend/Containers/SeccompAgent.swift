// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CSeccomp
public import EpitopeModel
import Glibc
import ProcessInspection
import Synchronization

/// Behaviour blocking for containers, whose runtime hands over the notifications of their critical calls: the seccomp
/// agent of the OCI runtime specification (config-linux.md, `listenerPath`).
///
/// Each process that a runtime starts under the filter, with all its children, has a supervisor on a thread of its own. It
/// ends when the last of them has ended. Containers can't affect each other through the agent.
///
/// If this process ends first, the critical calls of persisted containers (``ContainerFDStore``) wait for the next agent.
/// For other containers the kernel answers with ENOSYS until they are restarted, and also for a process that was rejected. A
/// container that is started while no agent runs fails to start. It fails closed in each case.
public final class SeccompAgent: BehaviourBlockingBackend {
    /// How the agent listens, how calls are judged, and who describes the processes that are reported.
    public struct Configuration: Sendable {
        /// The socket that runtimes connect to: the profile's `listenerPath`.
        public var path: String
        public var policy: Policy
        public var extraction: ExtractionSettings
        /// How many processes that runtimes started are supervised at once, each with its children.
        public var maxProcesses: Int
        /// Asked on the supervisor's thread, while a call is stalled that will be reported.
        public var context: any ProcessContextProviding
        /// Asked on the supervisor's thread, while a call is stalled that would be denied or reported.
        public var exclusions: any ExclusionProviding
        /// Where containers are persisted for the next agent; `nil`: supervision ends with this process.
        public var store: ContainerFDStore?

        public init(
            path: String, policy: Policy = .default, extraction: ExtractionSettings = .copy, maxProcesses: Int = 512,
            context: any ProcessContextProviding = NumbersOnly(), exclusions: any ExclusionProviding = FixedExclusions(),
            store: ContainerFDStore? = nil
        ) {
            self.path = path
            self.policy = policy
            self.extraction = extraction
            self.maxProcesses = maxProcesses
            self.context = context
            self.exclusions = exclusions
            self.store = store
        }
    }

    /// What ``stop(_:)`` does with the containers.
    public enum StopMode: Hashable, Sendable {
        /// They stay supervised while this process lives; calls are denied and not reported.
        case endWithProcess
        /// Persisted containers are left to the next agent: their calls wait for it.
        case handOver
    }

    /// For how many threads each supervisor keeps files of `/proc` open: a service's busy threads.
    static let maxCachedThreads = 16
    /// How long ``stop(_:)`` waits for the calls in progress, in milliseconds.
    private static let maxStopMilliseconds = 500

    /// Bounded; ends when the agent stops.
    public var detections: AsyncStream<Detection> { streams.detections }
    /// The detections as reports. They need no acknowledgement: they are lost with this process.
    public var reports: some AsyncSequence<DetectionReport, Never> & Sendable { detections.map { DetectionReport($0) } }
    /// Bounded; ends when the agent stops.
    public var notices: AsyncStream<Notice> { streams.notices }

    struct State {
        var statistics = Statistics()
        /// Connections, whether their runtime has sent a message or not, and adopted containers.
        var connections = 0
        var reported = ReportDeduplicator()
        var isStopping = false
    }

    let configuration: Configuration
    let policy: CurrentPolicy
    let streams = ReportStreams<Notice>(maxBuffered: SeccompBackend.maxBufferedReports)
    let counters = SupervisionCounters()
    let socket: AgentSocket
    /// Readable once supervisors should leave their containers to another agent.
    let handoverEvent: Int32
    let state = Mutex(State())

    /// Listens, and adopts the containers that an earlier agent persisted.
    ///
    /// - Throws: `socket-path-unsafe`, `socket-in-use`, `socket-unavailable`, `foreign-proc`, `launch-failed`.
    public init(_ configuration: Configuration) throws(EpitopeError) {
        try ProcessTable.requireOwn()
        self.configuration = configuration
        policy = CurrentPolicy(configuration.policy)
        socket = try AgentSocket(path: configuration.path)
        handoverEvent = epitope_handover_event_create()
        adoptContainers()
        try SupervisionThread.start { [self] in listen() }
    }

    deinit { if handoverEvent >= 0 { close(handoverEvent) } }

    /// Accepts no more containers, and ends the streams. Blocks while calls are in progress, at most half a second.
    public func stop(_ mode: StopMode = .endWithProcess) {
        state.withLock { $0.isStopping = true }
        socket.shutDown()
        if mode == .handOver { _ = epitope_handover_event_signal(handoverEvent) }
        // Calls that were answered are reported, too. A supervisor that is held up is not waited for longer.
        for _ in 0..<Self.maxStopMilliseconds where counters.callsInProgress > 0 { usleep(1000) }
        streams.finish()
    }

    /// Puts another policy in force, for all containers from their next call on.
    public func set(_ policy: Policy) {
        self.policy.replace(with: policy)
    }

    /// The counts so far.
    public var statistics: Statistics {
        var statistics = state.withLock { $0.statistics }
        statistics.calls = counters.current
        return statistics
    }

    /// Whether a call that another backend reports was reported here already. A call that was let through goes on into the
    /// kernel, where the kernel backend sees it as well.
    public func hasReported(_ detection: Detection) -> Bool {
        let key = ReportKey(
            thread: detection.process.threadID, callersAddress: detection.callersAddress, kind: detection.call)
        return state.withLock { $0.reported.contains(key) }
    }
}
