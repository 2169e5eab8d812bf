// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CProcessFiles
import Foundation

/// A file as the kernel program sees the file of a process's image. Where a file system has several volumes (btrfs), `stat`
/// states another device than the kernel; a mapping of the file has the kernel's.
enum MappedFile {
    /// `nil` if it isn't a regular file, or can't be read.
    static func state(_ descriptor: Int32) -> ExclusionTarget.FileState? {
        var status = stat()
        var inode: UInt64 = 0
        var major: UInt32 = 0
        var minor: UInt32 = 0
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            epitope_mapped_identity(descriptor, &inode, &major, &minor) == 0
        else { return nil }
        return ExclusionTarget.FileState(
            device: major << 20 | minor, inode: inode, changedSeconds: Int64(status.st_ctim.tv_sec),
            changedNanoseconds: Int64(status.st_ctim.tv_nsec))
    }

    /// Whether only root may replace the file at a path: the file and all folders above it are root's, and no other user may
    /// write to them.
    static func onlyRootMayReplace(_ path: String) -> Bool {
        var place = Substring(path)
        while true {
            var status = stat()
            guard stat(place.isEmpty ? "/" : String(place), &status) == 0, status.st_uid == 0, status.st_mode & 0o022 == 0 else {
                return false
            }
            guard let slash = place.lastIndex(of: "/") else { return true }
            place = place[..<slash]
        }
    }
}
