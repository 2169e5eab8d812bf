// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// A regular file that was looked at and not opened: its file system, or another program, is not asked for anything yet.
struct ComparableFile {
    let handle: PathHandle
    let facts: PathHandle.Facts
    /// In bytes.
    let size: Int

    /// `nil` for what isn't there, or is not a regular file.
    init?(_ path: String) {
        guard let handle = try? PathHandle(path), let facts = try? handle.facts(), facts.isRegular, let size = Int(exactly: facts.size)
        else { return nil }
        self.handle = handle
        self.facts = facts
        self.size = size
    }

    /// The device, as `/proc/PID/maps` states it.
    var device: MapEntry.Device { MapEntry.Device(major: facts.deviceMajor, minor: facts.deviceMinor) }

    /// Whether it has a name on a file system with a disk behind it.
    ///
    /// - Parameter mounts: the path of the mountinfo that knows its mount.
    func isOnDisk(mounts: String) -> Bool {
        guard facts.links > 0, facts.mount != 0, let text = ProcFS.text(mounts, maxBytes: 1 << 20),
            let type = MountInfo.fileSystem(ofMount: facts.mount, in: text)
        else { return false }
        return SealedCopy.diskFileSystems.contains(type)
    }
}

extension FileDescriptor {
    /// F_GET_SEALS of `linux/fcntl.h`.
    private static let getSeals: Int32 = 1034
    /// F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE of `linux/fcntl.h`.
    private static let contentSeals: Int32 = 0x2 | 0x4 | 0x8

    /// Whether nobody can write it, now or later.
    var isSealed: Bool {
        let seals = fcntl(number, Self.getSeals)
        return seals >= 0 && seals & Self.contentSeals == Self.contentSeals
    }

    /// Whether the first bytes of both are the same.
    func hasSameBytes(as other: FileDescriptor, count total: Int) -> Bool {
        let chunk = 256 << 10
        return withUnsafeTemporaryAllocation(byteCount: 2 * chunk, alignment: 16) { room in
            guard let own = room.baseAddress else { return false }
            let others = own + chunk
            var offset = 0
            while offset < total {
                let count = min(chunk, total - offset)
                guard (try? DescriptorIO.fill(.init(start: own, count: count), from: number, at: offset)) == count,
                    (try? DescriptorIO.fill(.init(start: others, count: count), from: other.number, at: offset)) == count,
                    memcmp(own, others, count) == 0
                else { return false }
                offset += count
            }
            return true
        }
    }
}
