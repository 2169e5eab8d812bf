// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CProcessFiles
import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import Synchronization

/// Answers the notifications of one listener, on a thread of its own, until no process is under the filter any more.
///
/// When it ends early, or with its process, the kernel answers notified calls with ENOSYS: it fails closed.
final class Supervisor: Sendable {
    /// Where what comes of the calls goes. All of it is called on the supervisor's thread.
    struct Outlet: Sendable {
        /// Takes a report; `false` where there is no room for it.
        var report: @Sendable (Detection) -> Bool
        var notify: @Sendable (SeccompBackend.Notice) -> Void
        /// Is told of every call that is reported, also where ``ReportLimiter`` makes no report of it, and before it is
        /// answered.
        var remember: @Sendable (ReportDeduplicator.Key) -> Void = { _ in }
    }

    private let listener: Int32
    private let policy: @Sendable () -> Policy
    private let extraction: ExtractionMode
    private let excluded: @Sendable (Int32) -> Set<EvidenceKind>
    private let processParameters: @Sendable (Int32, Int32) -> ProcessParameters
    private let outlet: Outlet
    private let counters: SupervisionCounters
    /// How many threads' files are kept open.
    private let keptThreads: Int
    /// The process whose first program a container's runtime starts.
    private let container: Int32?
    /// What outlives this process.
    private let kept: PersistedContainer?

    init(
        listener: Int32, policy: @escaping @Sendable () -> Policy, extraction: ExtractionMode,
        excluded: @escaping @Sendable (Int32) -> Set<EvidenceKind>,
        processParameters: @escaping @Sendable (Int32, Int32) -> ProcessParameters, outlet: Outlet,
        counters: SupervisionCounters, keptThreads: Int = ThreadFilesCache.most, container: Int32? = nil, kept: PersistedContainer? = nil
    ) {
        self.listener = listener
        self.policy = policy
        self.extraction = extraction
        self.excluded = excluded
        self.processParameters = processParameters
        self.outlet = outlet
        self.counters = counters
        self.keptThreads = keptThreads
        self.container = container
        self.kept = kept
    }

    /// Why a supervisor has ended.
    enum Ending {
        /// Nobody is under the filter any more.
        case noneLeft
        /// Another agent is to go on.
        case left
    }

    /// What is carried from call to call, on one thread.
    private struct Work {
        let inspector: Inspector
        var limiter = ReportLimiter()
        var start: ContainerStart?
    }

    /// Blocks until the last process under the filter has gone, or another agent is to go on with it. Closes the listener.
    @discardableResult
    func run() -> Ending {
        defer { close(listener) }
        _ = epitope_listener_set_synchronous(listener)
        var work = Work(
            inspector: Inspector(wantsDeeper: false, keptThreads: keptThreads),
            start: container == nil ? nil : kept?.start ?? ContainerStart())
        if let call = kept?.underWay { counters.answer { answer(call, &work) } }
        var notification = epitope_notification()
        while true {
            switch epitope_notification_receive(listener, kept?.leaving ?? -1, &notification) {
            case 0:
                kept?.received(notification)
                counters.answer { answer(notification, &work) }
            case -ECANCELED: return .left
            case -EINTR, -EAGAIN: continue
            case -ENOENT where epitope_listener_is_live(listener): continue
            default: return .noneLeft
            }
        }
    }

    private func answer(_ notification: epitope_notification, _ work: inout Work) {
        let policy = policy()
        work.inspector.wantsDeeper = policy.reportAt <= EvidenceKind.deeperInStack.defaultWeight
        count(\.notified)
        guard var call = PendingCall(notification) else {
            if PendingCall.isOtherSocketcall(notification) {
                _ = epitope_notification_continue(listener, notification.id)
                return
            }
            _ = epitope_notification_deny(listener, notification.id, ENOSYS)
            return
        }
        let startsContainer = call.call.family == .exec && call.thread == container && startsContainer(&work)
        let verdict: Verdict
        do {
            try call.readIndirectArguments()
            guard let observation = try work.inspector.observe(call) else {
                _ = epitope_notification_continue(listener, call.id)
                return
            }
            verdict = judge(observation, of: call, policy)
        } catch {
            answerUninspectable(call, error, policy)
            return
        }
        let isExcluded = startsContainer && ContainerStart.exclusions(verdict.evidence)
        guard (verdict.isReported || verdict.denies) && !isExcluded else {
            _ = epitope_notification_continue(listener, call.id)
            return
        }
        // What was read was the caller's only if it still waits: otherwise its id may be another's by now.
        guard epitope_notification_is_valid(listener, call.id) else { return }
        let now = Self.nowMilliseconds()
        let key = ReportLimiter.Key(
            thread: call.thread, callersAddress: verdict.callersAddress, number: UInt64(notification.number.magnitude))
        outlet.remember(.init(thread: call.thread, callersAddress: verdict.callersAddress, call: call.call))
        var report: Detection?
        if work.limiter.allows(key, nowMilliseconds: now) {
            report = detection(call, verdict, now)
        } else {
            count(\.suppressed)
        }
        act(on: call, verdict)
        if let report, !outlet.report(report) { count(\.dropped) }
    }

    /// Whether the container's process, which executes now, is its runtime's still.
    private func startsContainer(_ work: inout Work) -> Bool {
        guard let container, var start = work.start else { return false }
        let isRuntimes = start.isRuntimes(ContainerStart.program(of: container))
        work.start = start.isOver ? nil : start
        kept?.start = start
        return isRuntimes
    }

    /// Who is excluded is asked only where there is something to exclude.
    private func judge(_ observation: Observation, of call: PendingCall, _ policy: Policy) -> Verdict {
        let verdict = Verdict(on: observation, policy: policy)
        guard verdict.isReported || verdict.denies else { return verdict }
        let excluded = excluded(ProcFS.status(of: call.thread, "Tgid") ?? call.thread)
        return excluded.isEmpty ? verdict : Verdict(on: observation, policy: policy, excluded: excluded)
    }

    private func detection(_ call: PendingCall, _ verdict: Verdict, _ now: Int64) -> Detection {
        let memory = ProcessMemory(thread: call.thread)
        let processID = ProcFS.status(of: call.thread, "Tgid") ?? call.thread
        var code = ExtractedCode(base: verdict.callersAddress, bytes: [], isWholeRegion: false)
        if let range = ExtractionRange(of: verdict.region, callersAddress: verdict.callersAddress) {
            code = range.code(read: memory.read(range.start, range.count))
        }
        return Detection(
            architecture: verdict.architecture, callersAddress: verdict.callersAddress, region: verdict.region,
            call: call.call, arguments: ArgumentDecoder(call: call, memory: memory).decode(),
            evidence: verdict.evidence, code: code, action: verdict.action,
            process: processParameters(processID, call.thread), timeMilliseconds: now)
    }

    private func act(on call: PendingCall, _ verdict: Verdict) {
        guard verdict.denies else {
            _ = epitope_notification_continue(listener, call.id)
            return
        }
        count(\.denied)
        // A handle first, then the look whether the call still waits: so neither hits another process.
        let pidfd = epitope_process_handle(ProcFS.status(of: call.thread, "Tgid") ?? call.thread)
        defer { if pidfd >= 0 { close(pidfd) } }
        if epitope_notification_is_valid(listener, call.id) {
            if extraction == .cut, !cut(call, verdict) { count(\.cutFailed) }
            switch verdict.action {
            case .killed: if epitope_pidfd_signal(pidfd, SIGKILL) != 0 { count(\.signalFailed) }
            case .stopped: if epitope_pidfd_signal(pidfd, SIGSTOP) != 0 { count(\.signalFailed) }
            case .blocked, .watched: break
            }
        }
        _ = epitope_notification_deny(listener, call.id, EPERM)
    }

    /// Overwrites what was extracted. Only ever in unbacked memory of the process's own.
    private func cut(_ call: PendingCall, _ verdict: Verdict) -> Bool {
        guard verdict.region.backing.isUnbacked,
            let range = ExtractionRange(of: verdict.region, callersAddress: verdict.callersAddress)
        else { return true }
        let traps = [UInt8](repeating: ExtractionMode.breakpoint, count: range.count)
        return epitope_write_memory(call.thread, range.start, traps, traps.count) == traps.count
    }

    /// A process that can't be inspected: gone, and there is nobody to answer; or closed to this one (or in a pid
    /// namespace that can't be seen from here), and then policy decides. Never in silence: a notice says which call
    /// and why.
    private func answerUninspectable(_ call: PendingCall, _ failure: InspectionFailure, _ policy: Policy) {
        guard epitope_notification_is_valid(listener, call.id) else { return }
        let denies = policy.uninspectable == .deny && policy.action != .watch
        let answered =
            denies
            ? epitope_notification_deny(listener, call.id, EPERM)
            : epitope_notification_continue(listener, call.id)
        // It ended meanwhile: nothing was decided.
        guard answered == 0 else { return }
        count(\.uninspectable)
        if denies { count(\.denied) }
        outlet.notify(
            .uninspectable(call: call.call, threadID: call.thread, reason: failure.description, wasDenied: denies))
    }

    private func count(_ counter: WritableKeyPath<SeccompBackend.Statistics, UInt64>) {
        counters.count(counter)
    }

    private static func nowMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
