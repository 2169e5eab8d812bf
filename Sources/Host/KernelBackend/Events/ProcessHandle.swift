// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import FileAccess
import Glibc
import ProcessInspection

/// A handle (pidfd) of an event's process, if it still exists: process IDs are reused.
struct ProcessHandle {
    private let descriptor: FileDescriptor

    /// - Parameter startTime: nanoseconds since boot, from the event.
    init?(_ processID: Int32, startTime: UInt64) {
        // Opened before the start time is read: from then on the handle refers to one process.
        guard let descriptor = try? FileDescriptor(taking: epitope_process_handle(processID)),
            let started = ProcessStatistics(of: processID)?.startTicks
        else { return nil }
        let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
        guard started == startTime / (1_000_000_000 / ticks) else { return nil }
        self.descriptor = descriptor
    }

    /// Sends a signal. Whether it was sent.
    func send(_ signal: Int32) -> Bool { epitope_pidfd_signal(descriptor.number, signal) == 0 }

    /// Whether the process still exists. If so, everything read by its process ID since this was created is about it.
    func isAlive() -> Bool { epitope_pidfd_signal(descriptor.number, 0) == 0 }
}
