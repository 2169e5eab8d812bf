// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CProcessFiles
import CSeccomp
import Dispatch
import EpitopeModel
import Glibc
import Scheduling
import Synchronization

/// Handles the critical calls that one listener notifies, on a thread of its own, until no process is left under the filter.
///
/// When it ends early, or with its process, the kernel answers notified calls with ENOSYS: it fails closed.
final class Supervisor: Sendable {
    /// What all supervisors of a backend share.
    struct Configuration: Sendable {
        let policy: CurrentPolicy
        let extraction: ExtractionSettings
        let context: any ProcessContextProviding
        let exclusions: any ExclusionProviding
        let counters: SupervisionCounters
        /// Of a command whose calls into other processes are notified.
        var intrusions: IntrusionFinder?
        /// For how many threads the files of `/proc` stay open.
        var maxCachedThreads = ThreadFilesCache.defaultCapacity
    }

    /// Why a supervisor stopped.
    enum StopReason {
        /// No process is left under the filter.
        case processesEnded
        /// Another agent takes over.
        case handedOver
    }

    /// State that is carried from call to call, on one thread.
    private struct ThreadState {
        let inspector: Inspector
        var limiter = ReportLimiter()
        var interrupted = InterruptedCalls()
        /// `nil` once the container has started, and outside of containers.
        var start: ContainerStart?
        /// Names the worker: another one may have taken its place.
        let turn: Int
    }

    private let listener: Int32
    /// `nil` for a command of `epitope run`.
    private let container: SupervisedContainer?
    private let configuration: Configuration
    private let sink: any ReportSink
    private let responder: CallResponder
    private let since = WatchStart()
    private let progress = WorkerProgress()
    private let ended = DispatchSemaphore(value: 0)
    private let reason = Mutex<StopReason?>(nil)

    init(listener: Int32, container: SupervisedContainer? = nil, _ configuration: Configuration, reportingTo sink: any ReportSink) {
        self.listener = listener
        self.container = container
        self.configuration = configuration
        self.sink = sink
        responder = CallResponder(listener: listener, extraction: configuration.extraction, counters: configuration.counters)
    }

    /// Blocks until the last process under the filter has ended, or another agent takes over. Closes the listener.
    ///
    /// Calls are handled by a worker. One that hangs in a call is left to it: a process can put its stack into memory that
    /// never answers. The call is answered as one that can't be inspected, and another worker takes the next ones.
    @discardableResult
    func run() -> StopReason {
        defer { close(listener) }
        _ = epitope_listener_set_synchronous(listener)
        startWorker(first: true)
        var watch = WorkerWatch(progress)
        while true {
            if ended.wait(timeout: .now() + watch.secondsToNextLook) == .success {
                return reason.withLock { $0 } ?? .processesEnded
            }
            guard let hung = watch.look() else { continue }
            leave(hung)
        }
    }

    /// Starts a worker in the place of the one before. Where no thread can be had, calls wait until one can: they fail closed.
    private func startWorker(first isFirst: Bool) {
        let turn = progress.nextTurn()
        while true {
            if (try? DedicatedThread.start { [self] in serve(turn, isFirst: isFirst) }) != nil { return }
            usleep(Self.threadRetryMicroseconds)
        }
    }

    private static let threadRetryMicroseconds: useconds_t = 100_000

    /// Answers a call whose worker hangs. A process that has made several hang is killed: each costs a thread, until its
    /// memory goes with it.
    private func leave(_ notification: epitope_notification) {
        startWorker(first: false)
        guard let call = PendingCall(notification) else {
            responder.deny(notification.id, errno: EPERM)
            return
        }
        configuration.counters.count(\.abandoned)
        if progress.abandoned > WorkerProgress.maxAbandoned, responder.isWaiting(call.id) {
            let pidfd = epitope_process_handle(call.processID)
            if pidfd >= 0, responder.isWaiting(call.id) { _ = epitope_pidfd_signal(pidfd, SIGKILL) }
            if pidfd >= 0 { close(pidfd) }
        }
        respondUninspectable(to: call, InspectionFailure(errno: ETIMEDOUT, reading: "memory"), configuration.policy.value)
    }

    /// Receives and handles calls until no process is left, another agent takes over, or another worker does.
    private func serve(_ turn: Int, isFirst: Bool) {
        let persisted = container?.persisted
        var state = ThreadState(
            inspector: Inspector(
                wantsDeeper: false, since: container.map { WatchStart(of: $0.processID) } ?? since,
                maxCachedThreads: configuration.maxCachedThreads),
            start: container == nil ? nil : persisted?.start ?? ContainerStart(), turn: turn)
        progress.begin(turn)
        defer { progress.end(turn) }
        if isFirst, let notification = persisted?.callInProgress { work(on: notification, &state) }
        var notification = epitope_notification()
        while progress.isCurrent(turn) {
            switch epitope_notification_receive(listener, persisted?.handoverEvent ?? -1, &notification) {
            case 0:
                persisted?.record(notification)
                work(on: notification, &state)
            case -ECANCELED: return stop(.handedOver)
            case -EINTR, -EAGAIN: continue
            case -ENOENT where epitope_listener_is_live(listener): continue
            default: return stop(.processesEnded)
            }
        }
    }

    private func work(on notification: epitope_notification, _ state: inout ThreadState) {
        progress.set(notification, state.turn)
        configuration.counters.trackCall { handle(notification, &state) }
        progress.clear(state.turn)
    }

    private func stop(_ reason: StopReason) {
        self.reason.withLock { $0 = reason }
        ended.signal()
    }

    /// Handles a critical call: decode, inspect, decide, extract, respond, report.
    private func handle(_ notification: epitope_notification, _ state: inout ThreadState) {
        let policy = configuration.policy.value
        guard var call = decode(notification) else { return }
        // Nearly always nothing is remembered, and there is no key to make.
        let earlier = state.interrupted.isEmpty ? nil : state.interrupted.take(InterruptedCalls.Key(notification))
        if let earlier, earlier.isSettled {
            return remember(earlier, notification, &state, unless: responder.respond(to: call, earlier.verdict).wasAnswered)
        }
        var intrusion: Intrusion?
        if let finder = configuration.intrusions, call.kind.family == .intrude {
            guard let found = finder.intrusion(of: call) else {
                responder.allow(call.id)
                return
            }
            configuration.counters.count(\.notified)
            intrusion = found
        }
        let isRuntimes = isRuntimesExec(call, &state)
        // Not looked at: what nobody asked for costs nothing, and whatever there is to see.
        guard policy.isOn(call.kind.application) else {
            responder.allow(call.id)
            return
        }

        let observation: Observation
        do {
            guard let observed = try inspect(&call, policy, state.inspector) else {
                if progress.isCurrent(state.turn) { respond(to: call, intrusion, policy) }
                return
            }
            observation = observed
        } catch {
            guard progress.isCurrent(state.turn) else { return }
            return respondUninspectable(to: call, error, policy)
        }

        guard progress.isCurrent(state.turn) else { return }
        let verdict = decide(observation, call, policy)
        let isExpected = isRuntimes && ContainerStart.isExpected(verdict.evidence)
        guard verdict.isReported || verdict.denies, !isExpected else {
            respond(to: call, intrusion, policy)
            return
        }
        var found = InterruptedCalls.Entry(verdict: verdict)
        if let earlier, verdict == earlier.verdict { (found.inspections, found.isReported) = (earlier.inspections + 1, earlier.isReported) }
        // That a call came again shows as well that what was read is the caller's.
        guard earlier != nil || responder.isWaiting(call.id) else { return remember(found, notification, &state, unless: false) }

        var detection: Detection?
        if !found.isReported { detection = makeReport(call, verdict, policy, &state.limiter) }
        found.isReported = true
        guard progress.isCurrent(state.turn) else { return }
        if verdict.denies {
            let response = responder.respond(to: call, verdict)
            detection?.cut = response.cut
            remember(found, notification, &state, unless: response.wasAnswered)
        } else {
            remember(found, notification, &state, unless: respond(to: call, intrusion, policy))
        }
        if let detection { report(detection) }
    }

    /// What is reported of a call; `nil` where its process has been reported too often.
    private func makeReport(_ call: PendingCall, _ verdict: Verdict, _ policy: Policy, _ limiter: inout ReportLimiter) -> Detection? {
        let key = ReportKey(thread: call.thread, callersAddress: verdict.callersAddress, kind: call.kind)
        let now = Self.nowMilliseconds()
        sink.willAnswer(key)
        // The limiter weighs by the code, too: it is copied for a report that is then not made.
        let code = extract(call, verdict)
        let candidate = ReportLimiter.Candidate(
            key: key, process: call.processID, points: verdict.evidence.map(\.kind.defaultWeight).max() ?? 0,
            code: code.bytes.hashValue)
        guard limiter.allows(candidate, nowMilliseconds: now) else {
            configuration.counters.count(\.suppressed)
            return nil
        }
        return describe(call, verdict, code, policy, timeMilliseconds: now)
    }

    /// Remembers what was found of a call that was taken back by a signal before it was answered.
    private func remember(
        _ found: InterruptedCalls.Entry, _ notification: epitope_notification, _ state: inout ThreadState, unless wasAnswered: Bool
    ) {
        if !wasAnswered { state.interrupted.insert(found, for: InterruptedCalls.Key(notification)) }
    }
}

/// The steps.
extension Supervisor {
    /// Decodes a notification. A call that isn't critical is answered right here: `nil`.
    private func decode(_ notification: epitope_notification) -> PendingCall? {
        if let call = PendingCall(notification), call.kind.family != .intrude || configuration.intrusions != nil {
            // Of calls into other processes only those are counted that reach into one.
            if call.kind.family != .intrude { configuration.counters.count(\.notified) }
            return call
        }
        configuration.counters.count(\.notified)
        if PendingCall.isOtherSocketcall(notification) {
            responder.allow(notification.id)
        } else {
            responder.deny(notification.id, errno: ENOSYS)
        }
        return nil
    }

    /// Whether a call is the exec by which a container's runtime starts the container's program.
    private func isRuntimesExec(_ call: PendingCall, _ state: inout ThreadState) -> Bool {
        guard let container, call.kind.family == .exec, call.thread == container.processID, var start = state.start else { return false }
        let isRuntimes = start.isRuntimesExec(ContainerStart.program(of: container.processID))
        state.start = start.isOver ? nil : start
        container.persisted?.start = start
        return isRuntimes
    }

    /// Observes the process; `nil` for a call that surely gives no evidence.
    private func inspect(
        _ call: inout PendingCall, _ policy: Policy, _ inspector: Inspector
    ) throws(InspectionFailure) -> Observation? {
        inspector.wantsDeeper = policy.reportAt <= policy.weight(of: .deeperInStack, for: call.kind.application)
        try call.readIndirectArguments()
        return try inspector.observe(call)
    }

    /// Judges the call.
    private func decide(_ observation: Observation, _ call: PendingCall, _ policy: Policy) -> Verdict {
        policy.judge(observation, lookingUpExclusions: { configuration.exclusions.excludedEvidence(forProcess: call.processID) })
    }

    /// Copies the malicious code, while the call is held.
    private func extract(_ call: PendingCall, _ verdict: Verdict) -> ExtractedCode {
        CodeExtractor(ProcessMemory(thread: call.thread), verdict, configuration.extraction.amounts).extract()
    }

    /// Reads what else a report says, while the call is held.
    private func describe(
        _ call: PendingCall, _ verdict: Verdict, _ code: ExtractedCode, _ policy: Policy, timeMilliseconds: Int64
    ) -> Detection {
        Detection(
            architecture: verdict.architecture, callersAddress: verdict.callersAddress, region: verdict.region,
            call: call.kind, arguments: ArgumentDecoder(call: call, memory: ProcessMemory(thread: call.thread)).decode(),
            evidence: verdict.evidence, code: code, action: verdict.action, points: verdict.points, applications: policy.applicationsOn,
            process: configuration.context.context(ofProcess: call.processID, thread: call.thread, in: container?.reference),
            timeMilliseconds: timeMilliseconds)
    }

    /// Answers a call that its caller's code doesn't speak against: it is allowed unless it reaches out of the command. Whether it
    /// still waited.
    @discardableResult private func respond(to call: PendingCall, _ intrusion: Intrusion?, _ policy: Policy) -> Bool {
        guard let intrusion, intrusion.isOutside, policy.otherProcesses == .deny else { return responder.allow(call.id) }
        let denies = policy.action != .watch
        let process = call.processID
        guard denies ? responder.deny(call.id, errno: EPERM) : responder.allow(call.id) else { return false }
        if denies { configuration.counters.count(\.denied) }
        sink.notify(.otherProcess(call: call.kind, processID: process, target: intrusion.process, wasDenied: denies))
        return true
    }

    private func report(_ detection: Detection) {
        if !sink.report(detection) { configuration.counters.count(\.dropped) }
    }

    /// The process has ended, and there is nothing to answer; or this one may not read it (or it is in a pid namespace that
    /// isn't visible from here): then the policy decides, and a notice says which call it was and why.
    private func respondUninspectable(to call: PendingCall, _ failure: InspectionFailure, _ policy: Policy) {
        let isExcluded = policy.uninspectable == .deny && configuration.exclusions.allowsUninspected(process: call.processID)
        guard let wasDenied = responder.respondUninspectable(to: call, policy, isExcluded: isExcluded), !isExcluded else { return }
        sink.notify(
            .uninspectable(call: call.kind, threadID: call.thread, reason: failure.description, wasDenied: wasDenied))
    }

    private static func nowMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
