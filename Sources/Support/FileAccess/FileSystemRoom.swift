// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The room on the disk that a path is on.
public struct FileSystemRoom: Hashable, Sendable {
    /// How many bytes this user may still write.
    public let availableBytes: Int64
    /// The size of the file system, in bytes.
    public let totalBytes: Int64

    package init(availableBytes: Int64, totalBytes: Int64) {
        self.availableBytes = availableBytes
        self.totalBytes = totalBytes
    }

    /// Asks the file system; `nil`: it doesn't tell.
    ///
    /// - Parameter path: of a file or folder that is there.
    public init?(at path: String) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        func bytes(_ blocks: fsblkcnt_t) -> Int64 {
            let (bytes, overflow) = Int64(clamping: blocks).multipliedReportingOverflow(by: Int64(clamping: status.f_frsize))
            return overflow ? .max : bytes
        }
        availableBytes = bytes(status.f_bavail)
        totalBytes = bytes(status.f_blocks)
    }
}
