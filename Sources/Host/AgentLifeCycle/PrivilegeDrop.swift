// SPDX-License-Identifier: Apache-2.0

import CPrivileges
public import EpitopeModel
import FileAccess
import Glibc

/// Gives up, for good, the capabilities that the agent needed only for loading the program.
public enum PrivilegeDrop {
    /// A process's capabilities, by `/proc/PID/status`.
    public struct Rights: Hashable, Sendable {
        public var permitted: Capabilities
        public var effective: Capabilities
        public var inheritable: Capabilities
        public var bounding: Capabilities
        public var ambient: Capabilities
        public var canGainRights: Bool
        public var threads: Int

        /// - Parameter status: the content of `/proc/PID/status`; `nil` where a line is missing.
        public init?(status: String) {
            var values: [Substring: Substring] = [:]
            for line in status.split(separator: "\n") {
                let parts = line.split(maxSplits: 1, whereSeparator: { $0 == ":" })
                if parts.count == 2 { values[parts[0]] = parts[1].drop { $0 == "\t" || $0 == " " } }
            }
            func set(_ name: Substring) -> Capabilities? {
                values[name].flatMap { UInt64($0, radix: 16) }.map(Capabilities.init(rawValue:))
            }
            guard let permitted = set("CapPrm"), let effective = set("CapEff"), let inheritable = set("CapInh"),
                let bounding = set("CapBnd"), let ambient = set("CapAmb"), let threads = values["Threads"].flatMap({ Int($0) }),
                let noNewRights = values["NoNewPrivs"]
            else { return nil }
            self.permitted = permitted
            self.effective = effective
            self.inheritable = inheritable
            self.bounding = bounding
            self.ambient = ambient
            self.threads = threads
            canGainRights = noNewRights != "1"
        }

        /// Whether the process has these capabilities and can't gain others.
        public func areOnly(_ kept: Capabilities) -> Bool {
            permitted == kept && effective == kept && inheritable.isEmpty && ambient.isEmpty && !canGainRights
        }
    }

    /// Keeps the capabilities that the agent still needs and has, gives up the rest, and verifies that. Programs that it executes
    /// get none, and no unprivileged process can read its memory.
    ///
    /// Capabilities belong to threads: this fails if there is a second one, apart from those that are known.
    ///
    /// - Parameters:
    ///   - cutsCode: whether the agent overwrites code in processes.
    ///   - threadsLeftBehind: threads that are blocked in the kernel and do nothing afterwards.
    /// - Returns: what the agent needs and doesn't have.
    /// - Throws: `privileges-not-dropped`.
    public static func apply(cutsCode: Bool = false, threadsLeftBehind: Int = 0) throws(EpitopeError) -> Capabilities {
        var threads = rights()?.threads
        // A thread that is exiting is still counted for a moment.
        for _ in 0..<200 where threads != 1 + threadsLeftBehind {
            usleep(1000)
            threads = rights()?.threads
        }
        guard threads == 1 + threadsLeftBehind else { throw failure("the process has more than one thread", 0) }
        var had: UInt64 = 0
        try check(epitope_permitted_capabilities(&had), "read its capabilities")
        let wanted = Capabilities.afterLoading(kernelRelease: SystemName.current.kernelRelease ?? "", cutsCode: cutsCode)
        let kept = wanted.intersection(Capabilities(rawValue: had))
        // The kernel supports fewer than 64, and returns EINVAL for the first that it doesn't.
        for number: Int32 in 0..<64 {
            let result = epitope_drop_from_bounding_set(number)
            if result == -EINVAL { break }
            // Without CAP_SETPCAP the set can't be lowered; with no_new_privs nothing can be gained from it.
            if result == -EPERM { break }
            try check(result, "lower its bounding set")
        }
        try check(epitope_no_new_privileges(), "set no_new_privs")
        try check(epitope_keep_capabilities(kept.rawValue), "give up capabilities")
        try check(epitope_not_dumpable(), "protect its memory")
        guard let after = rights(), after.areOnly(kept) else { throw failure("the kernel still reports them", 0) }
        return wanted.subtracting(kept)
    }

    private static func check(_ result: Int32, _ what: String) throws(EpitopeError) {
        guard result == 0 else { throw failure("it could not \(what)", -result) }
    }

    private static func failure(_ what: String, _ cause: Int32) -> EpitopeError {
        EpitopeError(
            .privilegesNotDropped,
            "the agent could not drop the capabilities that it no longer needs: \(what)"
                + (cause == 0 ? "" : " (\(String(cString: strerror(cause))))"),
            remedy: "report this: it is a bug in Epitope, or a kernel or sandbox forbids prctl(2) and capset(2)")
    }

    private static func rights() -> Rights? {
        ProcFS.text("/proc/self/status", maxBytes: 16384).flatMap(Rights.init(status:))
    }
}
