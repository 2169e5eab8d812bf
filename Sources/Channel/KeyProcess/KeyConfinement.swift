// SPDX-License-Identifier: Apache-2.0

import CPrivileges
import EpitopeModel
import Glibc

/// Gives up, for good, every right of this process that signing doesn't need: files, the network, other processes, programs. What
/// is open stays open.
enum KeyConfinement {
    /// Enough for the connections; no more can be opened anyway.
    private static let maxOpenFiles: rlim_t = 64

    /// Call this while there is one thread.
    ///
    /// - Throws: `key-not-confined`.
    /// - Returns: by which means, for a person.
    static func enter() throws(EpitopeError) -> String {
        try check(SingleThread.isOnlyOne() ? 0 : -EBUSY, "be the only thread")
        // A crash must not write the key to a disk.
        limit(RLIMIT_CORE, to: 0)
        limit(RLIMIT_NOFILE, to: maxOpenFiles)
        try check(epitope_no_new_privileges(), "set no_new_privs")
        try check(epitope_keep_capabilities(0), "give up capabilities")
        try check(epitope_not_dumpable(), "protect its memory")
        // Kernels without it, and sandboxes that forbid it, have the filter alone, which permits to open and connect nothing either.
        let landlock = epitope_give_up_files()
        guard landlock >= 0 || [-ENOSYS, -EOPNOTSUPP, -EPERM].contains(landlock) else {
            try check(landlock, "enter a Landlock domain")
            return ""
        }
        try check(epitope_permit_signing_calls(), "filter its system calls")
        return landlock >= 0 ? "a filter of system calls, and Landlock" : "a filter of system calls"
    }

    private static func limit(_ resource: __rlimit_resource, to value: rlim_t) {
        var limit = rlimit(rlim_cur: value, rlim_max: value)
        _ = setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
    }

    private static func check(_ result: Int32, _ what: String) throws(EpitopeError) {
        guard result < 0 else { return }
        throw EpitopeError(
            .keyNotConfined,
            "the key process could not give up its rights, and does not serve: it could not \(what) (\(String(cString: strerror(-result))))",
            remedy: "report this: it is a bug in Epitope, or a kernel or sandbox forbids prctl(2), capset(2) or seccomp(2)")
    }
}
