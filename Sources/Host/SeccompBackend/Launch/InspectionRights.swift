// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess

/// What this process may inspect, by the security module Yama (`kernel.yama.ptrace_scope`; admin-guide/LSM/Yama.rst of the kernel).
enum InspectionRights: Hashable {
    /// Every process of its user.
    case ordinary
    /// Only its descendants. One whose parent has ended stays a descendant only where this process adopts it
    /// (``SeccompBackend/Configuration/guardsOthers``).
    case descendants
    /// No process: the setting, and whether root may.
    case none(scope: Int, rootMay: Bool)

    /// The bit of CAP_SYS_PTRACE.
    private static let traceProcesses: UInt64 = 1 << 19

    /// Of this process, now.
    static var current: InspectionRights {
        InspectionRights(scope: ProcFS.text("/proc/sys/kernel/yama/ptrace_scope"), status: ProcFS.text("/proc/thread-self/status"))
    }

    /// - Parameters:
    ///   - scope: the setting's text; `nil`: the kernel has no Yama, or it isn't active.
    ///   - status: the content of `/proc/thread-self/status`.
    init(scope: String?, status: String?) {
        let scope = scope.flatMap { Int($0.filter { !$0.isWhitespace }) } ?? 0
        let line = status?.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let capabilities = line.flatMap { UInt64($0.dropFirst("CapEff:".count).drop { $0.isWhitespace }, radix: 16) } ?? 0
        let isPrivileged = capabilities & Self.traceProcesses != 0
        switch scope {
        case ..<1: self = .ordinary
        case 1: self = isPrivileged ? .ordinary : .descendants
        case 2: self = isPrivileged ? .ordinary : .none(scope: scope, rootMay: true)
        default: self = .none(scope: scope, rootMay: false)
        }
    }

    /// Checks that this process may inspect a command that it starts. Otherwise every call would be denied as one that can't be inspected.
    ///
    /// - Throws: `inspection-not-permitted`.
    func requireAny(for command: Command) throws(EpitopeError) {
        guard case .none(let scope, let rootMay) = self else { return }
        throw EpitopeError(
            .inspectionNotPermitted,
            "\(command.name) can't be protected: kernel.yama.ptrace_scope is \(scope), by which "
                + (rootMay ? "only root may inspect processes" : "nobody may inspect processes"),
            remedy: rootMay
                ? "run epitope as root, or have root set it to 1 (sysctl kernel.yama.ptrace_scope=1)"
                : "use epitope agent, which needs no such right; at 3 the setting can be changed only by a restart of the machine")
    }
}
