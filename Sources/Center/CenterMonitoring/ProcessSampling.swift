// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import FileAccess
import Glibc

extension ProcessSample {
    /// What this process takes of its machine now.
    static func current(startSeconds: Double) -> ProcessSample {
        var sample = ProcessSample()
        sample.openDescriptors = OpenFileLimit.openCount
        sample.maxDescriptors = OpenFileLimit.current
        // proc(5): all pages, those in memory, and others.
        let pages = ProcFS.text("/proc/self/statm", maxBytes: 256)?.split(separator: " ").dropFirst().first.flatMap { Int64($0) }
        sample.memoryBytes = pages.map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) }
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
            sample.cpuSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }
        sample.startSeconds = startSeconds
        return sample
    }
}
