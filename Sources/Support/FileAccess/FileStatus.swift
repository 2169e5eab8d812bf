// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import Glibc

/// The status of a file, as stat(2) returns it.
public struct FileStatus: Hashable, Sendable {
    /// The type of a file.
    public enum Kind: Hashable, Sendable {
        case regular
        case folder
        case link
        case socket
        /// A device or a pipe.
        case other
    }

    public var kind: Kind
    /// The owner's user number.
    public var owner: UInt32
    /// Permission bits with the set-user-ID, set-group-ID and sticky bits.
    public var permissions: UInt32
    /// How many names the file has; 0 for one that was removed or never had one.
    public var links: Int
    public var identity: FileIdentity

    /// The status of an open file.
    public init(_ descriptor: Int32) throws(FileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last }
        self.init(status)
    }

    /// The status of the file at a path.
    public init(path: String, followLinks: Bool = true) throws(FileError) {
        try self.init(path, in: AT_FDCWD, followLinks: followLinks)
    }

    /// The status of an entry of a folder; a symbolic link's own.
    ///
    /// - Parameter folder: an open folder's descriptor.
    public init(_ name: String, in folder: Int32) throws(FileError) {
        try self.init(name, in: folder, followLinks: false)
    }

    /// The status of an entry of a folder whose name may be of any bytes; a symbolic link's own.
    public init(name: [UInt8], in folder: PathHandle) throws(FileError) {
        var status = stat()
        guard fstatat(folder.descriptor, RawPath.terminated(name), &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw .last }
        self.init(status)
    }

    private init(_ path: String, in folder: Int32, followLinks: Bool) throws(FileError) {
        var status = stat()
        guard fstatat(folder, path, &status, followLinks ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else { throw .last }
        self.init(status)
    }

    private init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .folder
            case S_IFLNK: .link
            case S_IFSOCK: .socket
            default: .other
            }
        owner = status.st_uid
        permissions = status.st_mode & 0o7777
        links = Int(status.st_nlink)
        identity = FileIdentity(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modified: .init(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec)),
            changed: .init(seconds: Int64(status.st_ctim.tv_sec), nanoseconds: Int64(status.st_ctim.tv_nsec)))
    }
}

/// Which file it is, in which state: a file that was replaced, written or renamed has another identity.
public struct FileIdentity: Hashable, Sendable, CustomStringConvertible {
    /// A moment as the file system keeps it.
    public struct Time: Hashable, Comparable, Sendable {
        /// Since 1970.
        public var seconds: Int64
        public var nanoseconds: Int64

        public init(seconds: Int64, nanoseconds: Int64) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        /// The time that the kernel gives to what changes now: the system's clock as of its last tick.
        public static var now: Time {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &time)
            return Time(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
        }

        public static func < (one: Time, other: Time) -> Bool {
            (one.seconds, one.nanoseconds) < (other.seconds, other.nanoseconds)
        }
    }

    /// The file system's device number, as stat(2) encodes it.
    public var device: UInt64
    public var inode: UInt64
    /// In bytes.
    public var size: Int64
    /// When the content was written last (mtime). Its owner can set it to any time.
    public var modified: Time
    /// When anything of the file changed last (ctime): content, owner, rights, names. Nobody can set it.
    public var changed: Time

    public init(device: UInt64, inode: UInt64, size: Int64, modified: Time, changed: Time) {
        self.device = device
        self.inode = inode
        self.size = size
        self.modified = modified
        self.changed = changed
    }

    /// The device's numbers, by the C library's encoding (gnu_dev_major of sys/sysmacros.h).
    public var deviceMajor: UInt32 { UInt32(truncatingIfNeeded: device >> 8 & 0xfff | device >> 32 & 0xffff_f000) }
    /// As ``deviceMajor``.
    public var deviceMinor: UInt32 { UInt32(truncatingIfNeeded: device & 0xff | device >> 12 & 0xffff_ff00) }

    /// `nil` where the file is gone or can't be asked about.
    public init?(_ descriptor: Int32) {
        guard let status = try? FileStatus(descriptor) else { return nil }
        self = status.identity
    }

    /// The identity of the file that a path leads to; `nil` where there is none.
    public init?(path: String) {
        guard let status = try? FileStatus(path: path) else { return nil }
        self = status.identity
    }

    /// Whether it is the same file with the same content, by its size and the time of its last write. It may have got another
    /// name, owner or right.
    public func hasContent(of other: FileIdentity) -> Bool {
        device == other.device && inode == other.inode && size == other.size && modified == other.modified
    }

    public var description: String {
        "\(device):\(inode):\(size):\(modified.seconds).\(modified.nanoseconds):\(changed.seconds).\(changed.nanoseconds)"
    }
}

/// A file as the kernel names it in its mappings (`/proc/PID/maps`): on overlayfs and btrfs, the device, and on overlayfs the
/// inode, too, differ from those that stat(2) gives.
public struct MappedFileIdentity: Hashable, Sendable {
    public var inode: UInt64
    public var deviceMajor: UInt32
    public var deviceMinor: UInt32

    /// Maps a page of an open file, and looks it up; `nil` where the file can't be mapped.
    public init?(_ descriptor: Int32) {
        (inode, deviceMajor, deviceMinor) = (0, 0, 0)
        guard epitope_mapped_identity(descriptor, &inode, &deviceMajor, &deviceMinor) == 0 else { return nil }
    }
}
