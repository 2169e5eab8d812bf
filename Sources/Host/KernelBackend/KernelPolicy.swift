// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel

/// Where calls are seen, and so what can be done about them.
public enum ProtectionLevel: String, Hashable, Sendable, Codable, CaseIterable {
    /// By security hooks: a call is denied before anything of it is done.
    case hooks
    /// At the kernel's functions that ask its security modules, whose result is decided. As good as hooks, but for code
    /// that isn't in memory when it is to be copied.
    case functions
    /// By a tracepoint: the call can't be denied; its process is stopped or killed right after it.
    case tracepoints

    /// Whether a call can be denied.
    public var canDeny: Bool { self != .tracepoints }

    /// The name of the kernel program that sees sends.
    var sendProgram: String {
        switch self {
        case .hooks: "hook_socket_sendmsg"
        case .functions: "function_socket_sendmsg"
        case .tracepoints: "entered"
        }
    }

    var inKernel: epitope_level {
        switch self {
        case .hooks: EPITOPE_LEVEL_HOOKS
        case .functions: EPITOPE_LEVEL_FUNCTIONS
        case .tracepoints: EPITOPE_LEVEL_TRACEPOINTS
        }
    }
}

extension epitope_policy {
    /// What the kernel program does about each kind of evidence. The weights are the verdict's (``EvidenceKind``): the
    /// tests hold both to one another.
    init(_ policy: Policy, level: ProtectionLevel) {
        self.init()
        for (kind, bit) in Self.bits {
            if kind.defaultWeight >= policy.blockAt { act_on |= bit }
            if kind.defaultWeight >= policy.reportAt { report_on |= bit }
        }
        let uninspectable = EPITOPE_KIND_UNINSPECTABLE.rawValue
        report_on |= uninspectable
        if policy.uninspectable == .deny { act_on |= uninspectable }
        switch (policy.action, level) {
        case (.watch, _): answer = EPITOPE_ANSWER_PASSED.rawValue
        case (.block, .hooks), (.block, .functions): answer = EPITOPE_ANSWER_DENIED.rawValue
        // Held until the agent has read its parameters; then it kills, or leaves it stopped.
        case (.block, .tracepoints), (.stop, _), (.kill, _): answer = EPITOPE_ANSWER_STOPPED.rawValue
        }
        let killsInTheEnd = policy.action == .kill || (policy.action == .block && level == .tracepoints)
        otherwise = killsInTheEnd ? EPITOPE_ANSWER_KILLED.rawValue : answer
    }

    /// The bits of kinds of evidence.
    static func bits(of kinds: Set<EvidenceKind>) -> UInt32 {
        bits.reduce(0) { kinds.contains($1.0) ? $0 | $1.1 : $0 }
    }

    /// The kinds that bits stand for.
    static func kinds(of bits: UInt32) -> Set<EvidenceKind> {
        Set(Self.bits.filter { bits & $0.1 != 0 }.map(\.0))
    }

    private static let bits: [(EvidenceKind, UInt32)] = [
        (.directCall, EPITOPE_KIND_DIRECT.rawValue), (.libraryCall, EPITOPE_KIND_LIBRARY.rawValue),
        (.writtenImagePage, EPITOPE_KIND_WRITTEN_IMAGE.rawValue), (.memoryFile, EPITOPE_KIND_MEMORY_FILE.rawValue),
        (.deeperInStack, EPITOPE_KIND_DEEPER.rawValue), (.unattributable, EPITOPE_KIND_UNATTRIBUTABLE.rawValue),
        (.sendsItself, EPITOPE_KIND_SENDS_ITSELF.rawValue),
    ]
}
