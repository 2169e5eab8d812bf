// SPDX-License-Identifier: Apache-2.0

import Foundation

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
        // A pipe that took the file's name meanwhile must not stop the search.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw Unreadable(reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        guard size >= 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw Unreadable(reason: String(cString: strerror(errno))) }
        guard size > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return size <= maxReadBytes ? try read(descriptor, size, body) : try map(descriptor, size, body)
    }

    private static func read<Result>(_ descriptor: Int32, _ size: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        defer { buffer.deallocate() }
        var count = 0
        while count < size {
            let more = Foundation.read(descriptor, buffer.baseAddress! + count, size - count)
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw Unreadable(reason: String(cString: strerror(errno))) }
            if more == 0 { break }
            count += more
        }
        return try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    private static func map<Result>(_ descriptor: Int32, _ size: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw Unreadable(reason: String(cString: strerror(errno)))
        }
        defer { munmap(start, size) }
        madvise(start, size, MADV_SEQUENTIAL)
        return try body(UnsafeRawBufferPointer(start: start, count: size))
    }
}
