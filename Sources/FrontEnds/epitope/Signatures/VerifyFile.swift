// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// A file's bytes for one look at them.
enum VerifyFile {
    /// Why a file was not searched: the system's words.
    struct Unreadable: Error {
        var reason: String
    }

    /// In bytes. Up to this a file is read, beyond it is mapped: a mapped file that is cut short meanwhile ends the
    /// program, and most files that change while they are read are small.
    static let maxReadBytes = 16 << 20

    /// - Returns: what the body does.
    /// - Throws: ``Unreadable``, or what the body throws.
    static func withBytes<Result>(of path: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        do {
            // A pipe that took the file's name meanwhile must not stop the search.
            let file = try FileDescriptor(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let status = try file.status()
            guard status.kind == .regular else { throw FileError.notRegular }
            let size = Int(status.identity.size)
            return size <= maxReadBytes ? try read(file, size, body) : try map(file, size, body)
        } catch let error as FileError {
            throw Unreadable(reason: error.description)
        }
    }

    private static func read<Result>(
        _ file: FileDescriptor, _ size: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        defer { buffer.deallocate() }
        let count = try DescriptorIO.fill(buffer, from: file.number, at: 0)
        return try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    private static func map<Result>(
        _ file: FileDescriptor, _ size: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let map = try MemoryMap(file.number, count: size, isSequential: true)
        return try withExtendedLifetime(map) { try body(map.bytes) }
    }
}
