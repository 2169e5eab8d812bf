// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Probes of the kernel in programs (uprobes), as bpftrace and perf set them, in a trace file system that is mounted for as long as the
/// value lives.
public final class KernelProbes: Sendable {
    public static let isPossible = geteuid() == 0 && access("/sys/kernel/tracing", F_OK) == 0

    private let folder: TemporaryFolder
    private let group: String

    public init() throws {
        folder = try TemporaryFolder()
        group = "epitope_test_\(UInt64.random(in: 0...UInt64.max))"
        guard mount("nodev", folder.path, "tracefs", 0, nil) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    /// - Parameters:
    ///   - kind: "p" for a probe at an instruction, "r" for one at a function's return.
    ///   - offset: in the program's file.
    public func set(_ kind: String, _ path: String, at offset: UInt64) throws {
        try write("\(kind):\(group)/probe \(path):0x\(String(offset, radix: 16))\n", to: "uprobe_events")
        try write("1", to: "events/\(group)/probe/enable")
    }

    private func write(_ text: String, to name: String) throws {
        let file = open("\(folder.path)/\(name)", O_WRONLY | O_APPEND)
        defer { close(file) }
        guard Glibc.write(file, text, text.utf8.count) == text.utf8.count else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    deinit {
        try? write("0", to: "events/\(group)/probe/enable")
        try? write("-:\(group)/probe\n", to: "uprobe_events")
        umount2(folder.path, Int32(MNT_DETACH))
    }
}
