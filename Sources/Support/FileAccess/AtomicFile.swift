// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A file's new content, written beside it and put in its place in one step: a reader, also one that comes after a crash,
/// finds either the old content or the new, whole. Without ``commit(durably:)`` nothing is replaced and nothing is left.
public final class AtomicFile {
    /// Open for reading and writing.
    public let descriptor: FileDescriptor
    private let path: String
    /// Its path until it is in place, for what opens files by their paths.
    public let temporary: String
    private var isCommitted = false

    /// Makes the file that is written to, in the same folder and under a name that nobody has.
    ///
    /// - Parameters:
    ///   - path: the file that is replaced, or made where there is none.
    ///   - mode: the new file's rights.
    ///   - isExact: whether it gets those rights whatever the umask is.
    public init(replacing path: String, mode: UInt32, isExact: Bool = true) throws(FileError) {
        self.path = path
        temporary = "\(path).\(getpid()).\(UInt64.random(in: 0 ... .max)).new"
        descriptor = try FileDescriptor(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        // All is initialised here: to throw runs the deinitialiser, which removes the file.
        if isExact, fchmod(descriptor.number, mode) != 0 { throw .last }
    }

    deinit {
        if !isCommitted { unlink(temporary) }
    }

    /// Puts the new content in place.
    ///
    /// - Parameter durably: whether content and name are on the disk when this returns. Else they get there when the system
    ///   writes them, and a crash of the machine may leave the old file, or an empty one.
    public func commit(durably: Bool = true) throws(FileError) {
        if durably, fsync(descriptor.number) != 0 { throw .last }
        guard rename(temporary, path) == 0 else { throw .last }
        isCommitted = true
        if durably { try Folders.synchronize(Folders.parent(of: path)) }
    }

    /// Puts the new content in place durably where there is no file of that name, not even a moment ago.
    ///
    /// - Throws: EEXIST, as a ``FileError``, where there is one, which stays as it is.
    public func commitNew() throws(FileError) {
        guard fsync(descriptor.number) == 0 else { throw .last }
        if link(temporary, path) == 0 {
            unlink(temporary)
        } else {
            // A file system that has no further names of a file.
            guard errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS else { throw .last }
            guard access(path, F_OK) != 0 else { throw .system(EEXIST) }
            guard rename(temporary, path) == 0 else { throw .last }
        }
        isCommitted = true
        try Folders.synchronize(Folders.parent(of: path))
    }

    /// Replaces a file's content by these bytes.
    public static func write(
        _ bytes: some Collection<UInt8>, to path: String, mode: UInt32, durably: Bool = true
    ) throws(FileError) {
        let file = try AtomicFile(replacing: path, mode: mode)
        let content = Array(bytes)
        var failure: FileError?
        content.withUnsafeBytes { bytes in
            do throws(FileError) { try DescriptorIO.write(bytes, to: file.descriptor.number, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.commit(durably: durably)
    }
}
