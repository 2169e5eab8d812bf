// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How many files, sockets among them, this process may have open, and has.
public enum OpenFileLimit {
    /// The limit that is in force; `nil`: the kernel doesn't tell.
    public static var current: Int? { limits.map { Int(clamping: $0.rlim_cur) } }

    /// Raises the limit to what this process may have: a shell's and systemd's is 1,024, which the connections of a thousand hosts use
    /// up, or the descriptors of a few watched processes. What can't be had is done without.
    public static func raise() {
        guard var limits else { return }
        limits.rlim_cur = limits.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
    }

    /// How many are open now; `nil`: /proc doesn't tell.
    public static var openCount: Int? {
        // The folder itself is one of them.
        (try? Folders.names("/proc/self/fd")).map { max($0.count - 1, 0) }
    }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 ? limits : nil
    }
}
