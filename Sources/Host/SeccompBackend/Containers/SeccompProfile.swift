// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import ProcessInspection

/// The part `linux.seccomp` of a container's configuration (OCI runtime specification, config-linux.md) that has the
/// container's critical calls notified to the agent: the same calls as ``CallFilter`` has, by their names.
public struct SeccompProfile: Hashable, Sendable, Encodable {
    /// The action of some calls.
    public struct Rule: Hashable, Sendable, Encodable {
        public var names: [String]
        public var action: String
        /// The error of a call that is refused.
        public var errnoRet: Int32?
        /// All of which must hold.
        public var args: [Condition]?
    }

    /// That the lower half of an argument, which is what the kernel takes of one that is an `int`, has a value.
    public struct Condition: Hashable, Sendable, Encodable {
        public var index: Int
        /// The bits that are compared.
        public var value: UInt64 = 0xFFFF_FFFF
        /// What they must be.
        public var valueTwo: UInt64
        public var op = "SCMP_CMP_MASKED_EQ"
    }

    /// Values of `flags`.
    public enum Flag: String, Hashable, Sendable, Encodable, CaseIterable {
        /// Once the agent has received a call, only a fatal signal interrupts it (Linux 5.19). Without the flag a signal makes
        /// the process repeat the call, which is inspected again; with frequent signals, such as the Go runtime's, many times.
        ///
        /// crun accepts it (tried with 1.8.1), and runc from 1.5 on with libseccomp 2.6. An older runc refuses flags that it
        /// doesn't know, runc 1.1 all flags, and then doesn't start the container.
        case waitKillable = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    }

    /// The value of `listenerMetadata`: the runtime passes it to the agent, which doesn't need it.
    public static let metadata = "epitope"
    /// The call through which 32-bit programs make all their socket calls.
    static let socketcall = "socketcall"

    /// Actions of libseccomp, as profiles name them.
    enum Action {
        static let allow = "SCMP_ACT_ALLOW"
        static let notify = "SCMP_ACT_NOTIFY"
        static let refuse = "SCMP_ACT_ERRNO"
    }

    public var defaultAction = SeccompProfile.Action.allow
    /// Calls of other interfaces, such as x32, end the process: libseccomp does so for architectures that a profile doesn't
    /// list.
    public var architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    public var flags: [Flag]?
    public var listenerPath: String
    public var listenerMetadata = SeccompProfile.metadata
    public var syscalls = [Rule(names: SeccompProfile.criticalCalls, action: SeccompProfile.Action.notify)] + SeccompProfile.refusals

    /// - Parameters:
    ///   - listenerPath: the agent's socket.
    ///   - flags: only flags that the runtime is known to accept.
    public init(listenerPath: String, flags: [Flag] = []) {
        self.listenerPath = listenerPath
        self.flags = flags.isEmpty ? nil : flags
    }

    /// The calls' names, and that of the one that makes a ring (io_uring). libseccomp knows which of them 32-bit programs can also make through `socketcall`; `send` can only
    /// be made through it.
    public static let criticalCalls: [String] = {
        let calls = SystemCallInterface.allCases.flatMap { $0.numbers.map(\.call) } + SystemCallInterface.socketcalls.map(\.call)
        return Set(calls.map(\.rawValue) + ["send", "io_uring_setup"]).sorted()
    }()

    /// `prctl` that replaces the process's program (``SystemCallInterface/programReplacement``) fails with EPERM.
    static let refusals = SystemCallInterface.programReplacement.requests.map { request in
        Rule(
            names: ["prctl"], action: Action.refuse, errnoRet: 1,
            args: [
                Condition(index: 0, valueTwo: UInt64(SystemCallInterface.programReplacement.option)),
                Condition(index: 1, valueTwo: UInt64(request)),
            ])
    }

    /// The profile as JSON, for a container's configuration.
    ///
    /// - Throws: `seccomp-profile-unusable` if the path isn't text.
    public var json: String {
        get throws(EpitopeError) { try JSONValue(encoding: self).text }
    }
}
