// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The clock that the kernel program's times are of: `CLOCK_BOOTTIME`, in nanoseconds.
enum BootClock {
    /// Milliseconds since 1970 of a time of this clock.
    static func wallClockMilliseconds(_ nanoseconds: UInt64) -> Int64 {
        let elapsed = Int64(bitPattern: now()) - Int64(bitPattern: nanoseconds)
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return (Int64(wall.tv_sec) * 1_000_000_000 + Int64(wall.tv_nsec) - elapsed) / 1_000_000
    }

    /// The wall clock's date of a time of this clock.
    static func date(_ nanoseconds: UInt64) -> Date {
        Date(timeIntervalSinceNow: (Double(nanoseconds) - Double(now())) / 1_000_000_000)
    }

    /// What the wall clock says this clock began at, in nanoseconds since 1970; another whenever the wall clock is set.
    static func start() -> UInt64 {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        let nanoseconds = UInt64(max(0, wall.tv_sec)) * 1_000_000_000 + UInt64(wall.tv_nsec)
        return nanoseconds - min(nanoseconds, now())
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
