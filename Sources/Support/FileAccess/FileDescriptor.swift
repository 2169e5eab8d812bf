// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file, closed when its last owner releases it. It isn't inherited by programs that are executed.
public final class FileDescriptor: Sendable {
    /// The descriptor's number, which stays this object's.
    public let number: Int32

    /// Opens a file.
    ///
    /// - Parameters:
    ///   - flags: of open(2), such as `O_RDONLY | O_NOFOLLOW`; O_CLOEXEC is added.
    ///   - mode: the rights of a file that is made, less those that the umask takes away.
    public init(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(FileError) {
        number = open(path, flags | O_CLOEXEC, mode)
        if number < 0 { throw .last }
    }

    /// Takes over a descriptor that the caller has opened.
    ///
    /// - Parameter number: a negative one is an error number, as the shims of CProcessFiles return it.
    public init(taking number: Int32) throws(FileError) {
        guard number >= 0 else { throw .system(-number) }
        self.number = number
    }

    deinit {
        close(number)
    }

    /// A path that leads to this file, whatever has become of its name.
    public var path: String { "/proc/self/fd/\(number)" }

    /// The file's kind, owner, rights and identity now.
    public func status() throws(FileError) -> FileStatus { try FileStatus(number) }

    /// The bytes of a regular file, at most so many.
    ///
    /// - Throws: ``FileError/notRegular`` for a pipe or a device, which might never end, or never answer.
    public func read(maxBytes: Int) throws(FileError) -> [UInt8] {
        guard try status().kind == .regular else { throw .notRegular }
        return try DescriptorIO.readToEnd(number, maxBytes: maxBytes)
    }

    /// All bytes of a regular file.
    ///
    /// - Throws: ``FileError/tooLong`` for a file of more bytes; ``FileError/notRegular`` as ``read(maxBytes:)``.
    public func readWhole(maxBytes: Int) throws(FileError) -> [UInt8] {
        // One byte more shows that a file is too long: half of it would be read as something else.
        let bytes = try read(maxBytes: maxBytes + 1)
        guard bytes.count <= maxBytes else { throw .tooLong }
        return bytes
    }
}
