// SPDX-License-Identifier: Apache-2.0

import CKernelProgram

/// How calls are seen, and so what can be done about them.
public enum ProtectionLevel: String, Hashable, Sendable, Codable, CaseIterable {
    /// Hooks of the BPF security module: a call is denied before it has any effect.
    case hooks
    /// Programs at the kernel functions that call the security modules, whose result they replace (`BPF_MODIFY_RETURN`). As good as hooks,
    /// except for code that isn't in memory when it is to be copied.
    case fmodRet = "fmod-ret"
    /// A tracepoint: calls can't be denied; their process is stopped or killed right afterwards.
    case tracepoints

    /// Whether a call can be denied.
    public var canDeny: Bool { self != .tracepoints }

    /// The name of the kernel program that sees sends.
    var sendProgram: String {
        switch self {
        case .hooks: "lsm_socket_sendmsg"
        case .fmodRet: "fmod_ret_socket_sendmsg"
        case .tracepoints: "tracepoint_sys_enter"
        }
    }

    var inKernel: epitope_level {
        switch self {
        case .hooks: EPITOPE_LEVEL_HOOKS
        case .fmodRet: EPITOPE_LEVEL_FMOD_RET
        case .tracepoints: EPITOPE_LEVEL_TRACEPOINTS
        }
    }
}
