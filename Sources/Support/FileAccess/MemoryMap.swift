// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A file's bytes, mapped for reading until the object is released. A file that is cut short meanwhile ends the program that
/// reads behind its new end (SIGBUS): map only files that are replaced as a whole, or that nobody else writes.
public final class MemoryMap: @unchecked Sendable {
    // Sendable: the mapping is read-only, and lasts as long as this object.
    public let bytes: UnsafeRawBufferPointer

    /// Maps the beginning of an open file, which may be closed afterwards.
    ///
    /// - Parameters:
    ///   - count: in bytes; 0 maps nothing.
    ///   - isSequential: whether it is read from its beginning to its end, once.
    public init(_ descriptor: Int32, count: Int, isSequential: Bool = false) throws(FileError) {
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else { throw .last }
        bytes = UnsafeRawBufferPointer(start: base, count: count)
        if isSequential { madvise(base, count, MADV_SEQUENTIAL) }
    }

    /// Maps a regular file as a whole.
    public convenience init(path: String) throws(FileError) {
        let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
        let status = try file.status()
        guard status.kind == .regular else { throw .notRegular }
        try self.init(file.number, count: Int(status.identity.size))
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
