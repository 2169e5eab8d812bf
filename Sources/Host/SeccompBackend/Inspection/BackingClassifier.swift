// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// Finds the backing of a mapping. A process chooses the names of its mappings, so the device that the kernel states
/// decides: a deleted program that a package upgrade replaced is still an image, a memfd is not.
struct BackingClassifier: Sendable {
    /// The kernel's internal shared-memory mount, where memfds, shared anonymous memory and System V segments live.
    let memoryFileDevice: MapEntry.Device?

    init() {
        var major: UInt32 = 0
        var minor: UInt32 = 0
        memoryFileDevice =
            epitope_memory_file_device(&major, &minor) == 0 ? MapEntry.Device(major: major, minor: minor) : nil
    }

    /// The backing of a mapping of a process. Never ``MemoryBacking/writtenImagePage(path:)``, which is a page's property
    /// and not a mapping's.
    func backing(of entry: MapEntry, thread: pid_t) -> MemoryBacking {
        guard entry.inode == 0 else { return fileBacking(of: entry, thread: thread) }
        if entry.isProbeMemory { return .kernel }
        switch entry.name {
        case "[vdso]", "[vsyscall]", "[vvar]", "[vvar_vclock]", "[sigpage]", "[vectors]": return .kernel
        case "[heap]": return .heap
        case "[stack]": return .stack
        default: return .anonymous
        }
    }

    private func fileBacking(of entry: MapEntry, thread: pid_t) -> MemoryBacking {
        if entry.device == memoryFileDevice {
            // Shared memory without a name of its own is anonymous memory that happens to be shared.
            if entry.name == "/dev/zero (deleted)" || entry.name.hasPrefix("/SYSV") { return .anonymous }
            if let copy = SealedCopy(programOf: thread, inode: entry.inode, device: entry.device) {
                return .image(path: copy.original)
            }
            return .memoryFile(name: entry.name)
        }
        // Only a file without a block device can be one that was never on a disk.
        guard entry.device.major == 0, entry.name.hasSuffix(" (deleted)") else { return .image(path: entry.name) }
        // Anonymous memory of large pages is a file of a file system in memory. Who gives a file of another one this name gains nothing.
        if entry.name == "/anon_hugepage (deleted)" { return .anonymous }
        switch fileSystem(of: entry.device, thread: thread) {
        case "tmpfs", "ramfs", "hugetlbfs", "devtmpfs", nil: return .memoryFile(name: entry.name)
        default: return .image(path: entry.name)
        }
    }

    /// The type of the file system on a device, by the process's mounts; `nil` if none of them is of that device: an
    /// internal mount of the kernel (huge-page memfds, secret memory), or one that was unmounted.
    private func fileSystem(of device: MapEntry.Device, thread: pid_t) -> Substring? {
        MountInfo.fileSystem(of: device, in: ProcFS.text(of: thread, "mountinfo") ?? "")
    }
}
