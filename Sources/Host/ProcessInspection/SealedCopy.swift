// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// A program that runs from a sealed copy of itself in memory, which no process can write to. Container runtimes do so to
/// prevent a container from writing to their file (runc from 1.1.15 on always, crun).
///
/// Such a copy counts as the image that it copies. An attack gains nothing from that: the bytes are those of a file on a disk
/// that the process could have run as it is, the seals keep them so, and all other memory that the process maps or writes is
/// inspected as usual. Names decide nothing; they only select the files to compare.
public struct SealedCopy: Hashable, Sendable {
    /// The file that it is a copy of, by a path that led to it.
    public var original: String

    /// The largest program that is compared, in bytes.
    public static let maxSize = 64 << 20
    /// How many ancestors' programs are compared.
    static let maxAncestors = 4
    /// Where a program of the process's name is searched.
    static let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec", "/usr/lib/cri-o-runc/sbin"]
    /// File systems on a disk. Not memory file systems, whose files may be deleted later; nor those that users may mount over
    /// one (overlayfs) or serve from a process that doesn't answer (FUSE).
    static let diskFileSystems: Set<Substring> = ["bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "squashfs", "xfs", "zfs"]

    /// The program of a process, if it is a sealed copy; `nil` if it isn't, or if that can't be determined any more.
    ///
    /// - Parameters:
    ///   - inode: of the memory file in question, with its device: the process may run another program by now.
    ///   - mayCompare: called with the program's size before it is read, which takes some milliseconds.
    public init?(
        programOf process: Int32, inode: UInt64, device: MapEntry.Device, mayCompare: (Int) -> Bool = { _ in true }
    ) {
        guard let program = ComparableFile("/proc/\(process)/exe"), program.facts.inode == inode, program.device == device,
            program.facts.links == 0, program.size > 0, program.size <= Self.maxSize, let copy = try? program.handle.openFile(),
            copy.isSealed
        else { return nil }
        for (path, mounts) in Self.candidates(for: process) {
            guard let file = ComparableFile(path), file.size == program.size, file.isOnDisk(mounts: mounts), mayCompare(program.size),
                let original = try? file.handle.openFile(), copy.hasSameBytes(as: original, count: program.size)
            else { continue }
            self.original = path
            return
        }
        return nil
    }

    /// Whether a file is on a file system with whose files copies are compared.
    static func isOnDisk(_ path: String) -> Bool { ComparableFile(path)?.isOnDisk(mounts: "/proc/self/mountinfo") ?? false }

    /// Paths to compare, each with the mountinfo file of the mounts that it leads through.
    private static func candidates(for process: Int32) -> [(path: String, mounts: String)] {
        var found: [(String, String)] = []
        var parent = ProcessStatistics(of: process)?.parent
        while let id = parent, id > 0, found.count < maxAncestors {
            found.append(("/proc/\(id)/exe", "/proc/\(id)/mountinfo"))
            parent = ProcessStatistics(of: id)?.parent
        }
        guard let name = ProcFS.text("/proc/\(process)/cmdline", maxBytes: 4096).flatMap(programName(inCommandLine:)) else { return found }
        return found + folders.map { ("\($0)/\(name)", "/proc/self/mountinfo") }
    }

    /// The last part of the first word of `/proc/PID/cmdline`.
    static func programName(inCommandLine text: String) -> String? {
        let first = text.prefix { $0 != "\0" }
        let name = first[(first.lastIndex(of: "/").map(first.index(after:)) ?? first.startIndex)...]
        return name.isEmpty || name == "." || name == ".." || name.utf8.count > 64 ? nil : String(name)
    }
}
