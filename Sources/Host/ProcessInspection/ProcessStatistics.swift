// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// What `/proc/PID/stat` says of a process (proc_pid_stat(5)). `nil` for what isn't there.
public struct ProcessStatistics: Sendable {
    /// In bytes; the file doesn't come near.
    private static let maxBytes = 4096
    /// From the third field on.
    private let fields: [Substring]

    /// - Returns: `nil` if there is no such process.
    public init?(of process: Int32) {
        guard let text = ProcFS.text("/proc/\(process)/stat", maxBytes: Self.maxBytes) else { return nil }
        self.init(text)
    }

    /// The second field, a name in parentheses, may hold anything.
    init?(_ text: String) {
        guard let name = text.lastIndex(of: ")") else { return nil }
        fields = text[text.index(after: name)...].split(separator: " ")
    }

    /// What it does: `R` runs, `S` and `D` wait, `T` and `t` are stopped, `Z` has ended.
    public var state: Character? { fields.first?.first }
    /// The process ID of its parent.
    public var parent: Int32? { field(4) }
    /// When the process was started, in the kernel's ticks since boot.
    public var startTicks: UInt64? { field(22) }
    /// Where its program's code begins.
    public var startCode: UInt64? { field(26) }
    /// Where its stack begins.
    public var startStack: UInt64? { field(28) }

    private func field<Number: FixedWidthInteger>(_ number: Int) -> Number? {
        fields.count > number - 3 ? Number(fields[number - 3]) : nil
    }
}
