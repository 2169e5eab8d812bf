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
    }

    /// What `flags` may hold.
    public enum Flag: String, Hashable, Sendable, Encodable, CaseIterable {
        /// Once the agent has a call before it, only a fatal signal ends the wait (Linux 5.19). Without it a signal has the
        /// call made and inspected anew; with frequent ones, such as the Go runtime's, again and again.
        ///
        /// crun takes it (tried with 1.8.1), runc from 1.5 on with libseccomp 2.6; an older runc refuses flags that it doesn't
        /// know, runc 1.1 every one, and with it the container.
        case waitKillable = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    }

    /// What `listenerMetadata` holds: the runtime hands it to the agent, which doesn't need it.
    public static let metadata = "epitope"
    static let notify = "SCMP_ACT_NOTIFY"
    static let socketcall = "socketcall"
    static let allow = "SCMP_ACT_ALLOW"

    public var defaultAction = SeccompProfile.allow
    /// Calls of other interfaces, x32 among them, end the process: libseccomp's answer to what a profile doesn't name.
    public var architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    public var flags: [Flag]?
    public var listenerPath: String
    public var listenerMetadata = SeccompProfile.metadata
    public var syscalls = [Rule(names: SeccompProfile.criticalCalls, action: SeccompProfile.notify)]

    /// - Parameters:
    ///   - listenerPath: where the agent listens.
    ///   - flags: those that the runtime is known to take.
    public init(listenerPath: String, flags: [Flag] = []) {
        self.listenerPath = listenerPath
        self.flags = flags.isEmpty ? nil : flags
    }

    /// The calls' names. libseccomp knows which of them a 32-bit program makes through `socketcall` as well; `send` is one
    /// that has no other way.
    public static let criticalCalls: [String] = {
        let calls = SystemCallInterface.allCases.flatMap { $0.numbers.map(\.call) } + SystemCallInterface.socketcalls.map(\.call)
        return Set(calls.map(\.rawValue) + ["send"]).sorted()
    }()

    /// As it is put into a configuration.
    public var json: String {
        get throws(EpitopeError) { try JSONValue(encoding: self).text }
    }
}
