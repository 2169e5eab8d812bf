// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CSeccomp
public import EpitopeModel
import Glibc
import Synchronization

/// Behaviour blocking for containers, whose runtime hands the notifications of their critical calls over: the seccomp
/// agent of the OCI runtime specification (config-linux.md, `listenerPath`).
///
/// Each process that a runtime starts under the filter, with all its children, has a supervisor on a thread of its own. It
/// ends when the last of them has ended. Nothing that one sends or does reaches another.
///
/// Where this process ends first, containers that are kept (``ContainerFDStore``) wait with their critical calls for the next
/// agent. Those of others the kernel answers with ENOSYS, until they are restarted; the same holds for a process that is turned
/// away. A container that is started meanwhile fails to start. It fails closed in each case.
public final class SeccompAgent: BehaviourBlockingBackend {
    /// How the agent listens, and what it does about calls.
    public struct Settings: Sendable {
        /// Where runtimes connect: the profile's `listenerPath`.
        public var path: String
        public var policy: Policy
        public var extraction: ExtractionMode
        /// How many processes that runtimes started are supervised at once, with their children.
        public var most: Int

        public init(path: String, policy: Policy = .default, extraction: ExtractionMode = .copy, most: Int = 512) {
            self.path = path
            self.policy = policy
            self.extraction = extraction
            self.most = most
        }
    }

    /// Something that a person should know, though it is no report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        /// Of a call of a container.
        case ofCall(SeccompBackend.Notice, containerID: String)
        /// A container's process was not taken: its critical calls fail.
        case turnedAway(EpitopeError)
        /// An earlier agent was killed right after it had received a call, and before it could note which: nobody can judge it.
        case deniedUnjudged(containerID: String)

        public var description: String {
            switch self {
            case .ofCall(let notice, let container): "container \(container): \(notice)"
            case .turnedAway(let error): "\(error)"
            case .deniedUnjudged(let container):
                "container \(container): a call that the agent before had just received when it was killed was denied: nobody can judge it any more"
            }
        }
    }

    /// What is counted from the start on.
    public struct Statistics: Hashable, Sendable {
        /// Of all containers together.
        public var calls = SeccompBackend.Statistics()
        /// Processes that runtimes handed over.
        public var taken: UInt64 = 0
        /// Processes that an earlier agent had supervised.
        public var takenUp: UInt64 = 0
        /// Those that were not taken.
        public var turnedAway: UInt64 = 0
        /// How many are supervised now.
        public var supervised = 0
    }

    /// How many threads' files each supervisor keeps open. A service's busy threads; others are opened anew.
    private static let keptThreads = 16

    public let detections: AsyncStream<Detection>
    /// The detections as reports. They need no acknowledgement: they are lost with this process.
    public var reports: some AsyncSequence<DetectionReport, Never> & Sendable { detections.map { DetectionReport($0) } }
    public let notices: AsyncStream<Notice>

    private struct State {
        var policy: Policy
        var statistics = Statistics()
        /// Connections, whether they sent already or not.
        var connections = 0
        var reported = ReportDeduplicator()
        var isEnding = false
    }

    private let settings: Settings
    private let keeper: ContainerFDStore?
    /// Told when supervisors are to leave their containers to another agent.
    private let leaving: Int32
    private let socket: AgentSocket
    private let state: Mutex<State>
    private let counters = SupervisionCounters()
    private let excluded: @Sendable (Int32) -> Set<EvidenceKind>
    private let processParameters: @Sendable (Int32, Int32, ContainerProcessState) -> ProcessParameters
    private let calls: AsyncStream<Detection>.Continuation
    private let noticesEnd: AsyncStream<Notice>.Continuation

    /// Listens, and goes on with what was kept of an earlier agent's.
    ///
    /// - Parameters:
    ///   - keeper: `nil`: what is supervised ends with this process.
    ///   - excluded: the kinds of evidence that don't count for a process; asked, on the supervisor's thread, while a call
    ///     is stalled that would be denied or reported.
    ///   - processParameters: reads what a report says of a process (its id, the thread's id, what its container's runtime
    ///     said), on the supervisor's thread, while the call is stalled.
    /// - Throws: `socket-path-unsafe`, `socket-in-use`, `socket-unavailable`, `launch-failed`.
    public init(
        _ settings: Settings, keeper: ContainerFDStore? = nil,
        processParameters:
            @escaping @Sendable (
                _ processID: Int32, _ threadID: Int32, _ container: ContainerProcessState
            ) -> ProcessParameters = { process, thread, _ in ProcessParameters(processID: process, threadID: thread) },
        excluded: @escaping @Sendable (_ processID: Int32) -> Set<EvidenceKind> = { _ in [] }
    ) throws(EpitopeError) {
        self.settings = settings
        self.keeper = keeper
        self.excluded = excluded
        self.processParameters = processParameters
        state = Mutex(State(policy: settings.policy))
        socket = try AgentSocket(path: settings.path)
        leaving = epitope_handover_event_create()
        (detections, calls) = AsyncStream.makeStream(
            of: Detection.self, bufferingPolicy: .bufferingOldest(SeccompBackend.bufferedCalls))
        (notices, noticesEnd) = AsyncStream.makeStream(
            of: Notice.self, bufferingPolicy: .bufferingOldest(SeccompBackend.bufferedCalls))
        takeUp()
        try SupervisionThread.start { [self] in listen() }
    }

    deinit { if leaving >= 0 { close(leaving) } }

    /// How ``stop(_:)`` leaves what is supervised.
    public enum Ending: Hashable, Sendable {
        /// Supervised as long as this process lives; what is found from now on is denied and not reported.
        case withThisProcess
        /// What is kept is left to the next agent: calls wait for it.
        case leavingContainers
    }

    /// Takes no more containers, and ends the streams: blocks for the moment, at most half a second, that the calls under way
    /// take.
    public func stop(_ ending: Ending = .withThisProcess) {
        state.withLock { $0.isEnding = true }
        socket.shutDown()
        if ending == .leavingContainers { _ = epitope_handover_event_signal(leaving) }
        // The calls that were answered are reported, too. A supervisor that something holds up is not waited for.
        for _ in 0..<500 where counters.answering > 0 { usleep(1000) }
        calls.finish()
        noticesEnd.finish()
    }

    /// Puts another policy in force, for all containers from their next call on.
    public func set(_ policy: Policy) {
        state.withLock { $0.policy = policy }
    }

    /// What was counted so far.
    public var statistics: Statistics {
        var statistics = state.withLock { $0.statistics }
        statistics.calls = counters.now
        return statistics
    }

    /// Whether a call that another backend reports was reported here already: a call that was let through goes on to be seen
    /// by the kernel backend.
    public func hasReported(_ call: Detection) -> Bool {
        let key = ReportDeduplicator.Key(thread: call.process.threadID, callersAddress: call.callersAddress, call: call.call)
        return state.withLock { $0.reported.contains(key) }
    }

    /// On a thread of its own: takes connections until it is told to end.
    private func listen() {
        while !state.withLock({ $0.isEnding }) {
            let connection = epitope_accept(socket.descriptor)
            switch connection {
            case 0...: take(connection)
            case -EINTR, -ECONNABORTED: continue
            // Descriptors, or memory, ran out: it is waited for, and those who connect wait, too.
            case -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: usleep(100_000)
            default: return
            }
        }
    }

    /// A thread for what is supervised, where there is room for it. It is counted until `work` returns.
    ///
    /// - Throws: `containers-full`, `launch-failed`.
    private func start(_ work: @escaping @Sendable () -> Void) throws(EpitopeError) {
        let hasRoom = state.withLock { state in
            guard state.connections < settings.most else { return false }
            state.connections += 1
            return true
        }
        guard hasRoom else {
            throw EpitopeError(
                .containersFull, "a container was turned away: \(settings.most) processes of containers are supervised already",
                remedy: "Its critical calls fail, so it doesn't start. Allow more (--max-containers), or start fewer.")
        }
        do throws(EpitopeError) {
            try SupervisionThread.start { [self] in
                work()
                state.withLock { $0.connections -= 1 }
            }
        } catch {
            state.withLock { $0.connections -= 1 }
            throw error
        }
    }

    private func take(_ connection: Int32) {
        do throws(EpitopeError) {
            try start { [self] in serve(connection) }
        } catch {
            close(connection)
            turnAway(error)
        }
    }

    /// Goes on with what an earlier agent supervised.
    private func takeUp() {
        guard let keeper else { return }
        let (containers, lost) = PersistedContainer.takeUp(from: keeper, leaving: leaving)
        for container in containers {
            do throws(EpitopeError) {
                try start { [self] in
                    state.withLock { $0.statistics.takenUp += 1 }
                    if container.denyUnknown() { noticesEnd.yield(.deniedUnjudged(containerID: container.handover.state.containerID)) }
                    supervise(container.handover, container)
                }
            } catch {
                keeper.forget(container.name)
                close(container.handover.listener)
                turnAway(error)
            }
        }
        for _ in 0..<lost {
            turnAway(
                EpitopeError(
                    .containerNotTakenUp, "what an earlier agent left of a container can't be read by this one",
                    remedy: "The container's critical calls fail: restart it."))
        }
    }

    /// One connection, to the end of the processes that came over it.
    private func serve(_ connection: Int32) {
        let handover: ContainerHandover
        do throws(EpitopeError) {
            defer { close(connection) }
            guard let received = try ContainerHandover.receive(from: connection) else { return }
            handover = received
        } catch {
            turnAway(error)
            return
        }
        state.withLock { $0.statistics.taken += 1 }
        supervise(handover, keeper.flatMap { PersistedContainer.keep(handover, leaving: leaving, by: $0) })
    }

    private func supervise(_ handover: ContainerHandover, _ kept: PersistedContainer?) {
        state.withLock { $0.statistics.supervised += 1 }
        let container = handover.state
        let ending = Supervisor(
            listener: handover.listener, policy: { [self] in state.withLock { $0.policy } }, extraction: settings.extraction,
            excluded: excluded, processParameters: { [processParameters] in processParameters($0, $1, container) },
            outlet: .init(
                report: { [calls] in if case .enqueued = calls.yield($0) { true } else { false } },
                notify: { [noticesEnd] in noticesEnd.yield(.ofCall($0, containerID: container.containerID)) },
                remember: { [self] key in state.withLock { $0.reported.insert(key) } }),
            counters: counters, keptThreads: Self.keptThreads, container: container.processID, kept: kept
        ).run()
        if ending == .noneLeft, let kept { keeper?.forget(kept.name) }
        state.withLock { $0.statistics.supervised -= 1 }
    }

    private func turnAway(_ error: EpitopeError) {
        state.withLock { $0.statistics.turnedAway += 1 }
        noticesEnd.yield(.turnedAway(error))
    }
}
