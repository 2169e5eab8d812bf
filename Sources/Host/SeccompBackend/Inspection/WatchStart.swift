// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc
import ProcessInspection

/// When the processes began that are watched together: what was written to files later may be their work, whichever of them
/// did it. It is kept by the clock that nobody sets, and stated by the one that file systems use.
struct WatchStart: Sendable {
    /// File systems state times by a clock that runs in steps: this is longer than any, in nanoseconds.
    private static let clockStep: Int64 = 20_000_000
    private static let nanosecondsPerSecond: Int64 = 1_000_000_000
    /// USER_HZ, in which /proc/PID/stat states when a process began.
    private static let ticksPerSecond: Int64 = 100

    /// Nanoseconds since the machine was started.
    private let sinceBoot: Int64

    /// Now.
    init() { sinceBoot = Self.now(CLOCK_BOOTTIME) - Self.clockStep }

    /// When a process began; now, if that can't be known.
    init(of process: pid_t) {
        sinceBoot = (Self.start(of: process) ?? Self.now(CLOCK_BOOTTIME)) - Self.clockStep
    }

    private static func start(of process: pid_t) -> Int64? {
        ProcessStatistics(of: process)?.startTicks.map { Int64($0) * (nanosecondsPerSecond / ticksPerSecond) }
    }

    /// Whether a moment, as a file system states it, lies after the start.
    func isBefore(_ time: FileIdentity.Time) -> Bool {
        let start = Self.now(CLOCK_REALTIME) - (Self.now(CLOCK_BOOTTIME) - sinceBoot)
        let (seconds, overflow) = time.seconds.multipliedReportingOverflow(by: Self.nanosecondsPerSecond)
        guard !overflow else { return time.seconds > 0 }
        return seconds.addingReportingOverflow(time.nanoseconds).partialValue >= start
    }

    private static func now(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * nanosecondsPerSecond + Int64(time.tv_nsec)
    }
}
