// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import Glibc

/// What this process has used so far.
enum ProcessCosts {
    /// Of processor time, in all threads.
    static var nanoseconds: Int {
        // In microseconds (POSIX).
        clock() * 1000
    }

    /// Makes the peak what is in use now (proc(5), clear_refs).
    ///
    /// - Returns: what is in use, in bytes.
    static func resetPeak() -> Int {
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
        return memory("VmRSS")
    }

    /// In bytes: the most memory that was in use since ``resetPeak()``.
    static var peak: Int { memory("VmHWM") }

    /// A line of `/proc/self/status`, in bytes.
    private static func memory(_ name: String) -> Int {
        let text = ProcFS.text("/proc/self/status") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }
}
