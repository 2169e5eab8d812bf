// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import Glibc

/// A handle on what a path leads to, without opening it (O_PATH of open(2)): so no device is started, and no pipe waits.
/// It can then be opened, and is the file that was inspected, even if the path leads elsewhere by then.
public final class PathHandle: Sendable {
    /// For the calls that take a folder or a handle (openat(2), fstatat(2)); it can't be read.
    public let descriptor: Int32

    /// What the kernel knows of a file without asking the file system's server, which may never answer (FUSE).
    public struct Facts: Hashable, Sendable {
        public var inode: UInt64
        /// In bytes; may be out of date on a file system over a network.
        public var size: UInt64
        public var deviceMajor: UInt32
        public var deviceMinor: UInt32
        /// How many names the file has; 0 for a memory file, or one that was removed.
        public var links: UInt32
        /// The mount's number in mountinfo; 0 where the kernel doesn't say (before Linux 5.8).
        public var mount: UInt64
        public var isRegular: Bool
        /// When anything of the file changed last (ctime): of one without a name, at the latest when it lost it. Nobody can set it.
        public var changed: FileIdentity.Time
    }

    /// - Parameters:
    ///   - folder: where a relative path begins; `nil`: at the current folder.
    ///   - mustBeFolder: fails with ENOTDIR for everything else.
    ///   - followLinks: whether a symbolic link at the path's end is followed; else the handle is the link's.
    public convenience init(
        _ path: String, in folder: PathHandle? = nil, mustBeFolder: Bool = false, followLinks: Bool = true
    ) throws(FileError) {
        let flags = (mustBeFolder ? O_DIRECTORY : 0) | (followLinks ? 0 : O_NOFOLLOW)
        try self.init(taking: epitope_open_path(folder?.descriptor ?? AT_FDCWD, path, flags))
    }

    /// Looks a path up as if a folder were the root: links and ".." never lead out of it (openat2(2)).
    public convenience init(_ path: String, withRoot root: PathHandle, followLinks: Bool) throws(FileError) {
        try self.init(taking: epitope_find_within(root.descriptor, path, followLinks ? 1 : 0))
    }

    /// - Parameter part: a path, or a part of one, that a single call can take.
    convenience init(part: [UInt8], in folder: PathHandle?, flags: Int32) throws(FileError) {
        try self.init(taking: epitope_open_path(folder?.descriptor ?? AT_FDCWD, RawPath.terminated(part), flags))
    }

    private init(taking descriptor: Int32) throws(FileError) {
        guard descriptor >= 0 else { throw .system(-descriptor) }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// A path that leads to the same thing, whatever has become of its name.
    public var path: String { "/proc/self/fd/\(descriptor)" }

    /// The kind, owner, rights and identity now, as the file system says.
    public func status() throws(FileError) -> FileStatus { try FileStatus(descriptor) }

    /// Reads what the kernel knows already.
    public func facts() throws(FileError) -> Facts {
        var facts = epitope_file_facts()
        let result = epitope_handle_facts(descriptor, &facts)
        guard result == 0 else { throw .system(-result) }
        return Facts(
            inode: facts.inode, size: facts.size, deviceMajor: facts.device_major, deviceMinor: facts.device_minor, links: facts.links,
            mount: facts.mount, isRegular: facts.mode & S_IFMT == S_IFREG,
            changed: .init(seconds: facts.changed_seconds, nanoseconds: Int64(facts.changed_nanoseconds)))
    }

    /// Opens a regular file for reading. It may take as long as the file system's server likes.
    ///
    /// - Throws: ``FileError/notRegular`` for everything else, which is not opened; ``FileError/procUnavailable``.
    public func openFile() throws(FileError) -> FileDescriptor {
        guard try facts().isRegular else { throw .notRegular }
        do {
            return try FileDescriptor(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        } catch {
            // The handle shows that there is a file: nobody may take it for absent.
            throw error.isAbsence ? .procUnavailable : error
        }
    }
}
