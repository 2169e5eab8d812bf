// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc

extension EpitopeError.Code {
    /// `/proc` is not mounted, or is that of another PID namespace: its numbers stand for other processes.
    public static let foreignProc = Self("foreign-proc")
}

/// The process table of this system, `/proc`.
public enum ProcessTable {
    /// Checks that the table's numbers are those of this process's own PID namespace, by which the kernel names processes to it. In
    /// another namespace's table they stand for other processes, or for none (`unshare --pid` without `--mount-proc`, a container
    /// into which the machine's `/proc` was mounted).
    ///
    /// - Throws: `foreign-proc`.
    public static func requireOwn() throws(EpitopeError) {
        try requireOwn(ProcFS.link("/proc/self"), processID: getpid())
    }

    /// - Parameters:
    ///   - own: where `/proc/self` points; `nil` where there is no such link: `/proc` isn't mounted, or doesn't know this process.
    ///   - processID: this process, as it knows itself.
    package static func requireOwn(_ own: String?, processID: Int32) throws(EpitopeError) {
        guard own != String(processID) else { return }
        let found = own.map { "/proc is that of another PID namespace, where this process is \($0) instead of \(processID)" }
        throw EpitopeError(
            .foreignProc, found ?? "/proc doesn't show this process (\(processID)): it isn't mounted, or is that of another PID namespace",
            remedy: "mount the PID namespace's own /proc (unshare --pid --fork --mount-proc), or start epitope outside of the namespace")
    }
}
