// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import Foundation
import ProcessInspection

/// A handle (pidfd) of an event's process, if it still exists: process IDs are reused.
struct ProcessHandle: ~Copyable {
    private let descriptor: Int32

    /// - Parameter startTime: nanoseconds since boot, from the event.
    init?(_ processID: Int32, startTime: UInt64) {
        // Opened before the start time is read: from then on the handle refers to one process.
        descriptor = epitope_process_handle(processID)
        guard descriptor >= 0 else { return nil }
        guard let started = ProcessStatistics(of: processID)?.startTicks else {
            close(descriptor)
            return nil
        }
        let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
        guard started == startTime / (1_000_000_000 / ticks) else {
            close(descriptor)
            return nil
        }
    }

    deinit {
        close(descriptor)
    }

    /// Sends a signal. Whether it was sent.
    func send(_ signal: Int32) -> Bool { epitope_pidfd_signal(descriptor, signal) == 0 }

    /// Whether the process still exists. If so, everything read by its process ID since this was created is about it.
    func isAlive() -> Bool { epitope_pidfd_signal(descriptor, 0) == 0 }
}
