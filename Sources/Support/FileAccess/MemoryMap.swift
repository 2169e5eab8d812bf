// SPDX-License-Identifier: Apache-2.0

import CFileMaps
import Glibc

/// A file's bytes, mapped for reading until the object is released.
///
/// A file that is cut short meanwhile, or whose disk fails, reads as zeros from there on: look at ``cutAt`` before you trust
/// what you read. A file that is written in place changes under its reader.
public final class MemoryMap: @unchecked Sendable {
    // Sendable: the mapping is read-only, and lasts as long as this object.
    public let bytes: UnsafeRawBufferPointer
    /// The number of the mapping's guard; `nil` for an empty one.
    private let guardNumber: Int32?

    /// Maps the beginning of an open file, which may be closed afterwards.
    ///
    /// - Parameters:
    ///   - count: in bytes; 0 maps nothing.
    ///   - isSequential: whether it is read from its beginning to its end, once.
    public convenience init(_ descriptor: Int32, count: Int, isSequential: Bool = false) throws(FileError) {
        try self.init(length: count, isSequential: isSequential) { () throws(FileError) in
            guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else { throw .last }
            return base
        }
    }

    /// Maps a regular file as a whole.
    public convenience init(path: String) throws(FileError) {
        let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
        let status = try file.status()
        guard status.kind == .regular else { throw .notRegular }
        try self.init(file.number, count: Int(status.identity.size))
    }

    /// - Parameter map: maps so many bytes for reading, which this object then owns.
    init(length: Int, isSequential: Bool, _ map: () throws(FileError) -> UnsafeMutableRawPointer) throws(FileError) {
        guard length > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            guardNumber = nil
            return
        }
        let base = try map()
        let number = epitope_map_guard(base, length)
        guard number >= 0 else {
            munmap(base, length)
            throw .system(-number)
        }
        bytes = UnsafeRawBufferPointer(start: base, count: length)
        guardNumber = number
        if isSequential { madvise(base, length, MADV_SEQUENTIAL) }
    }

    /// Where the bytes were no longer those of the file when they were read: an offset, rounded down to a page. `nil` as long
    /// as all that was read was there.
    public var cutAt: Int? {
        guard let guardNumber else { return nil }
        let cut = epitope_map_cut(guardNumber)
        return cut < 0 ? nil : Int(cut)
    }

    deinit {
        guard let guardNumber, let base = bytes.baseAddress else { return }
        epitope_map_release(guardNumber)
        munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
}
