// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// Rights are given up for one thread, and for those that it starts later: another that is there already would keep them.
enum SingleThread {
    /// A thread that is exiting is still counted for a moment.
    private static let maxLooks = 500

    /// Whether this process has one thread, as soon as those that are ending have ended.
    static func isOnlyOne() -> Bool {
        for _ in 0..<maxLooks {
            guard let threads = try? Folders.names("/proc/self/task", maxCount: 2) else { return false }
            if threads.count == 1 { return true }
            usleep(1000)
        }
        return false
    }
}
