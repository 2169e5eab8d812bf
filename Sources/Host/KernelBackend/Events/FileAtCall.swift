// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc
import ProcessInspection

/// A file in its state at a call, as the kernel program described it.
struct FileAtCall: Hashable, Sendable {
    var id: KernelFile
    /// When it changed last (ctime).
    var changed: FileIdentity.Time

    /// Whether a change since a call can't have had the same time: the kernel stamps files at the ticks of its clock.
    ///
    /// - Parameter time: of the call (``BootClock``).
    func isUnmistakable(at time: UInt64) -> Bool {
        var tick = timespec()
        guard clock_getres(CLOCK_REALTIME_COARSE, &tick) == 0, (0..<Self.maxSeconds).contains(changed.seconds) else { return false }
        let stamp = UInt64(changed.seconds) * 1_000_000_000 + UInt64(changed.nanoseconds)
        return stamp + UInt64(tick.tv_nsec) + Self.clockError < BootClock.start() + time
    }

    /// As nanoseconds, still far from what 64 bits hold: file systems can state any time.
    private static let maxSeconds: Int64 = 1 << 33
    /// What comes of reading two clocks one after the other, in nanoseconds.
    private static let clockError: UInt64 = 1_000_000

    /// As `/proc/PID/maps` states it.
    var device: MapEntry.Device { MapEntry.Device(major: id.device >> 20, minor: id.device & 0xfffff) }

    /// Opens the file by a path, if what is found there is the file as it was.
    ///
    /// - Parameters:
    ///   - start: the folder that the path begins at.
    ///   - owner: the process whose mounts the path leads through.
    func open(_ path: String, from start: String, _ owner: pid_t) -> FileDescriptor? {
        guard let handle = (try? PathHandle(start)).flatMap({ ServedFiles(of: owner).handle(path, from: $0) }),
            let opened = try? handle.openFile(), let identity = FileIdentity(opened.number), identity.changed == changed,
            identity.isOf(opened, mapped: id.inode, on: device)
        else { return nil }
        return opened
    }

    /// A path from its parts, the last one first, as the kernel program writes it; `nil` where it couldn't tell.
    static func path(_ bytes: UnsafeRawBufferPointer, length: UInt32) -> String? {
        let parts = bytes.prefix(Int(length)).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return parts.isEmpty ? nil : parts.reversed().reduce(into: "") { $0 += "/" + $1 }
    }
}
