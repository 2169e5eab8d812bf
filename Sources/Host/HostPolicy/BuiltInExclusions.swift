// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import EpitopeModel

/// What just-in-time compilers and their like of Debian's packages do by design, and no general rule tells from injected
/// code. Each holds until a day: who keeps Epitope up to date has them renewed, or dropped.
///
/// `"builtInExclusions": false` in the policy file turns them off.
public enum BuiltInExclusions {
    /// In the order in which `epitope policy show` has them.
    public static let all: [Exclusion] = entries.compactMap { subject, evidence, reason in
        CalendarDay(until).map { Exclusion(subject: subject, evidence: evidence, reason: reason, until: $0) }
    }

    private static let until = "2027-12-31"

    private static let entries: [(Exclusion.Subject, EvidenceKind, String)] = [
        (.package("luajit"), .libraryCall, "LuaJIT's FFI: compiled code calls functions of the C library itself"),
        (.package("sbcl"), .libraryCall, "SBCL compiles functions into its heap; alien routines call the C library from there"),
        (.package("mono-runtime-sgen"), .libraryCall, "Mono's just-in-time compiler: wrappers of P/Invoke call the C library"),
    ]
}
