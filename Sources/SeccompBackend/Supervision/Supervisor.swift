import BehaviourBlocking
import CProcessFiles
import CSeccomp
import EpitopeModel
import Extraction
import Glibc
import Synchronization

/// Answers the notifications of one listener, on a thread of its own, until no process is under the filter any more.
///
/// When it ends early, or with its process, the kernel answers notified calls with ENOSYS: it fails closed.
final class Supervisor: Sendable {
    private let listener: Int32
    private let policy: Policy
    private let extraction: ExtractionMode
    private let excused: @Sendable (Int32) -> Set<EvidenceKind>
    private let processParameters: @Sendable (Int32, Int32) -> ProcessParameters
    private let calls: AsyncStream<StalledCall>.Continuation
    private let notices: AsyncStream<SeccompBackend.Notice>.Continuation
    let statistics = Mutex(SeccompBackend.Statistics())

    init(
        listener: Int32, policy: Policy, extraction: ExtractionMode,
        excused: @escaping @Sendable (Int32) -> Set<EvidenceKind>,
        processParameters: @escaping @Sendable (Int32, Int32) -> ProcessParameters,
        calls: AsyncStream<StalledCall>.Continuation, notices: AsyncStream<SeccompBackend.Notice>.Continuation
    ) {
        self.listener = listener
        self.policy = policy
        self.extraction = extraction
        self.excused = excused
        self.processParameters = processParameters
        self.calls = calls
        self.notices = notices
    }

    /// Blocks until the last process under the filter has gone.
    func run() {
        _ = epitope_listener_set_synchronous(listener)
        let inspector = Inspector(wantsDeeper: policy.reportAt <= EvidenceKind.deeperInStack.defaultWeight)
        var limiter = ReportLimiter()
        var notification = epitope_notification()
        while true {
            switch epitope_notification_receive(listener, &notification) {
            case 0: answer(notification, inspector, &limiter)
            case -EINTR, -EAGAIN: continue
            case -ENOENT where epitope_listener_is_live(listener): continue
            default:
                close(listener)
                calls.finish()
                notices.finish()
                return
            }
        }
    }

    private func answer(_ notification: epitope_notification, _ inspector: Inspector, _ limiter: inout ReportLimiter) {
        count(\.notified)
        guard var call = PendingCall(notification) else {
            _ = epitope_notification_deny(listener, notification.id, ENOSYS)
            return
        }
        let verdict: Verdict
        do {
            try call.readIndirectArguments()
            guard let observation = try inspector.observe(call) else {
                _ = epitope_notification_continue(listener, call.id)
                return
            }
            verdict = judge(observation, of: call)
        } catch {
            answerUninspectable(call, error)
            return
        }
        guard verdict.isReported || verdict.denies else {
            _ = epitope_notification_continue(listener, call.id)
            return
        }
        // What was read was the caller's only if it still waits: otherwise its id may be another's by now.
        guard epitope_notification_is_valid(listener, call.id) else { return }
        let now = Self.nowMilliseconds()
        let key = ReportLimiter.Key(
            thread: call.thread, callersAddress: verdict.callersAddress, number: UInt64(notification.number.magnitude))
        var report: StalledCall?
        if limiter.allows(key, nowMilliseconds: now) {
            report = stalledCall(call, verdict, now)
        } else {
            count(\.suppressed)
        }
        act(on: call, verdict)
        if let report, case .dropped = calls.yield(report) { count(\.dropped) }
    }

    /// Who is excused is asked only where there is something to excuse.
    private func judge(_ observation: Observation, of call: PendingCall) -> Verdict {
        let verdict = Verdict(on: observation, policy: policy)
        guard verdict.isReported || verdict.denies else { return verdict }
        let excused = excused(ProcessFile.status(of: call.thread, "Tgid") ?? call.thread)
        return excused.isEmpty ? verdict : Verdict(on: observation, policy: policy, excused: excused)
    }

    private func stalledCall(_ call: PendingCall, _ verdict: Verdict, _ now: Int64) -> StalledCall {
        let memory = ProcessMemory(thread: call.thread)
        let processID = ProcessFile.status(of: call.thread, "Tgid") ?? call.thread
        var code = ExtractedCode(base: verdict.callersAddress, bytes: [], isWholeRegion: false)
        if let range = ExtractionRange(of: verdict.region, callersAddress: verdict.callersAddress) {
            code = range.code(read: memory.read(range.start, range.count))
        }
        return StalledCall(
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
        let pidfd = epitope_process_handle(ProcessFile.status(of: call.thread, "Tgid") ?? call.thread)
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
    private func answerUninspectable(_ call: PendingCall, _ failure: InspectionFailure) {
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
        notices.yield(
            .uninspectable(call: call.call, threadID: call.thread, reason: failure.description, wasDenied: denies))
    }

    private func count(_ counter: WritableKeyPath<SeccompBackend.Statistics, UInt64>) {
        statistics.withLock { $0[keyPath: counter] += 1 }
    }

    private static func nowMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
