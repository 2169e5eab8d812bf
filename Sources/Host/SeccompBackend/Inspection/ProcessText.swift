// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

extension ProcFS {
    /// In bytes: the maps of a process with 65,530 mappings (the kernel's default limit) fit.
    static let maxProcessBytes = 16 << 20

    /// The text of `/proc/PID/NAME`; `nil` when it can't be read.
    static func text(of process: pid_t, _ name: String) -> String? { text("/proc/\(process)/\(name)", maxBytes: maxProcessBytes) }

    /// A number out of `/proc/PID/status`, such as `Tgid` or `PPid`.
    static func status(of process: pid_t, _ key: String) -> pid_t? {
        guard let text = text(of: process, "status") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("\(key):") {
            return pid_t(line.dropFirst(key.count + 1).drop { $0 == "\t" || $0 == " " })
        }
        return nil
    }
}
