// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import Foundation
import ProcessInspection

/// The process of an event, if it is still that one: process numbers are given out anew.
struct ProcessHandle: ~Copyable {
    private let descriptor: Int32

    /// - Parameter startTime: nanoseconds since the machine began, as the event has it.
    init?(_ processID: Int32, startTime: UInt64) {
        // The handle first, then the look whose it is.
        descriptor = epitope_process_handle(processID)
        guard descriptor >= 0 else { return nil }
        guard let began = Self.startTicks(processID) else {
            close(descriptor)
            return nil
        }
        let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
        guard began == startTime / (1_000_000_000 / ticks) else {
            close(descriptor)
            return nil
        }
    }

    deinit {
        close(descriptor)
    }

    /// Whether the signal was sent.
    func send(_ signal: Int32) -> Bool { epitope_pidfd_signal(descriptor, signal) == 0 }

    /// Whether its number is still its own: what was read by the number since this was made is about this process.
    func isThere() -> Bool { epitope_pidfd_signal(descriptor, 0) == 0 }

    /// The 22nd field of `/proc/PID/stat`; the second, a name in parentheses, may hold anything.
    private static func startTicks(_ processID: Int32) -> UInt64? {
        guard let text = ProcFile.text("/proc/\(processID)/stat"),
            let name = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
