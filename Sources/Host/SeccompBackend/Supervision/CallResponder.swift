// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CProcessFiles
import CSeccomp
import EpitopeModel
import Glibc

/// Answers stalled calls, and stops or kills their processes.
struct CallResponder: Sendable {
    let listener: Int32
    let extraction: ExtractionSettings
    let counters: SupervisionCounters

    /// Whether a call still waits for its answer. What was read of the process before belongs to the caller only if it does:
    /// otherwise its id may be another process's now.
    func isWaiting(_ id: UInt64) -> Bool { epitope_notification_is_valid(listener, id) }

    /// Lets a call continue. Whether it still waited.
    @discardableResult func allow(_ id: UInt64) -> Bool { epitope_notification_continue(listener, id) == 0 }

    /// Makes a call fail with an errno. Whether it still waited.
    @discardableResult func deny(_ id: UInt64, errno: Int32) -> Bool { epitope_notification_deny(listener, id, errno) == 0 }

    /// What came of a verdict.
    struct Response {
        /// Whether the call still waited: otherwise its process has ended, or a signal took the call back.
        var wasAnswered: Bool
        /// What became of the code, where it was to be overwritten.
        var cut: CodeCut?
    }

    /// Carries out a verdict.
    func respond(to call: PendingCall, _ verdict: Verdict) -> Response {
        guard verdict.denies else { return Response(wasAnswered: allow(call.id)) }
        var wasKilled = false
        var cut: CodeCut?
        // The handle is opened before the check that the call still waits, so that neither can affect another process.
        let pidfd = epitope_process_handle(call.processID)
        defer { if pidfd >= 0 { close(pidfd) } }
        if isWaiting(call.id) {
            if extraction.mode == .cut {
                cut = CodeExtractor(ProcessMemory(thread: call.thread), verdict, extraction.amounts).overwrite()
                switch cut {
                case .done: counters.count(\.cut)
                case .failed: counters.count(\.cutFailed)
                case nil: break
                }
            }
            switch verdict.action {
            case .killed:
                wasKilled = epitope_pidfd_signal(pidfd, SIGKILL) == 0
                if !wasKilled { counters.count(\.signalFailed) }
            case .stopped: if epitope_pidfd_signal(pidfd, SIGSTOP) != 0 { counters.count(\.signalFailed) }
            case .blocked, .watched: break
            }
        }
        // A process that was killed may be gone before it is answered.
        let wasAnswered = deny(call.id, errno: EPERM) || wasKilled
        if wasAnswered { counters.count(\.denied) }
        return Response(wasAnswered: wasAnswered, cut: cut)
    }

    /// Answers a call of a process that can't be inspected, as the policy says.
    ///
    /// - Parameter isExcluded: whether the process is excluded: its calls are allowed.
    /// - Returns: whether the call was denied; `nil` if the process ended before the answer.
    func respondUninspectable(to call: PendingCall, _ policy: Policy, isExcluded: Bool = false) -> Bool? {
        guard isWaiting(call.id) else { return nil }
        let denies = policy.uninspectable == .deny && policy.action(for: call.kind.application) != .watch && !isExcluded
        let status =
            denies
            ? epitope_notification_deny(listener, call.id, EPERM)
            : epitope_notification_continue(listener, call.id)
        guard status == 0 else { return nil }
        counters.count(\.uninspectable)
        if denies { counters.count(\.denied) }
        return denies
    }
}
